"""The films of the end-to-end tests."""

from tests.end_to_end.conftest import models, slow_film  # noqa: F401  (fixtures)
