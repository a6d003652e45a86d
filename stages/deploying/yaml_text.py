"""YAML as it is written: the same for the same values, and read as the same by YAML 1.1 and 1.2."""

from __future__ import annotations

import re

import yaml

# What PyYAML writes without quotes: 1e3 and 0o17, and y and n, which are true and false for kubectl.
_NO_TEXT_ELSEWHERE = re.compile(r"[-+.]?(0[xob][\da-fA-F_]+|[\d_.:,]+([eE][-+]?\d*)?)|[yYnN]")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True  # No reader has to follow an anchor.


def _text(dumper: _Dumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else '"' if _NO_TEXT_ELSEWHERE.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dumped(*documents: object, comment: str = "") -> str:
    """The documents as one text, below the lines of a comment."""
    lines = "".join(f"# {line}\n" if line else "#\n" for line in comment.splitlines())
    return lines + yaml.dump_all(
        documents,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=110,
        explicit_start=len(documents) > 1,
    )
