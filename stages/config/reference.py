"""Prints docs/configuration.md from the schema: `python -m stages.config.reference > docs/configuration.md`."""

from __future__ import annotations

from dataclasses import MISSING, is_dataclass

from .keys import Key, keys_of
from .schema import KNOWN_ATTRIBUTES, SECTIONS

_BEGINNING = f"""\
# Configuration: every key

Printed from the schema by `python -m stages.config.reference`; do not edit it by hand.

A configuration is one YAML file. Every key has a default, so an empty file is a valid one. A key that is not listed
here, a value that is not allowed, a key that stands twice, anchors, aliases and tags are errors that name the line and
what is allowed. `true` and `false` are the only truth values (`yes` and `on` are texts); a number in quotes is a text.

`--set KEY=VALUE` on the command line overrides one key of the file, with the key's full name as below:
`--set stages.detect.detector=dlib`. It adds a stage that the file does not name; `--set source=...` replaces `sources`,
and the other way round.

The stages `{"`, `".join(KNOWN_ATTRIBUTES)}` have a model of their own, so `gender: {{}}` is enough. Any other name
under `stages` is an attribute of yours: `glasses: {{kind: attribute, model: mine/glasses.yaml}}`. A relative path of a
model counts from the folder of the configuration file, and from the project's folder if there is no such file.
"""


def page() -> str:
    """The reference page, in Markdown."""
    return "\n".join([_BEGINNING, *(_section(*section) for section in SECTIONS)])


def _section(title: str, prefix: str, section: type) -> str:
    rows = [_row(prefix, key) for key in keys_of(section).values()]
    return "\n".join([f"## {title}\n", "| Key | Default | Allowed | Meaning |", "| --- | --- | --- | --- |", *rows, ""])


def _row(prefix: str, key: Key) -> str:
    return f"| `{prefix}{key.name}` | {_default(key)} | {key.allowed} | {key.description} |"


def _default(key: Key) -> str:
    match key.default:
        case bool():
            return f"`{str(key.default).lower()}`"
        case None:
            return "none"
        case dict() | list() if not key.default:
            return "none"
        case dict() if all(isinstance(value, float) for value in key.default.values()):
            return "`{" + ", ".join(f"{name}: {value:g}" for name, value in key.default.items()) + "}`"
        case dict():
            return ", ".join(f"`{name}`" for name in key.default)
        case default if is_dataclass(default):
            return "see below"
        case _ if key.name == "address":
            return "none: it has to be given"
        case _ if key.default is MISSING:
            return "`models/NAME.yaml`"
        case _ if key.name == "window_memory":
            return f"`{key.default // 10**6} MB`"
        case _:
            return f"`{key.default}`"


if __name__ == "__main__":
    print(page(), end="")
