"""The films and places of the end-to-end tests."""

from tests.end_to_end.conftest import place, slow_film  # noqa: F401  (fixtures)
