"""YAML without surprises: mappings, lists, texts, numbers, true, false and null, and the line of every key.

PyYAML's safe loader is not strict enough: it lets a key stand twice, expands aliases to any size, reads `yes` as true,
12:30 as 750 and 010 as 8, and recurses as deep as the text says. So only its events are used; plain words are read by
the core schema of YAML 1.2, without its hexadecimal and octal numbers, infinities and NaN, which stay texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import yaml

from ..names import short
from .schema import ConfigError

MOST_CHARACTERS = 1_000_000
MOST_BYTES = 4 * MOST_CHARACTERS + 1  # of a file that is read: more than these characters can have
DEEPEST = 16

_WORDS = {word: value for value, words in (
    (None, ("", "~", "null", "Null", "NULL")),
    (True, ("true", "True", "TRUE")),
    (False, ("false", "False", "FALSE")),
) for word in words}  # fmt: skip
_WHOLE = re.compile(r"[-+]?[0-9]{1,30}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def parse(text: str, where: Callable[[int], str]) -> tuple[object, dict[tuple, int]]:
    """Return the document, None if it is empty, and the line of every key by its path (of list entries by their index).

    `where` makes of a line, counted from 1, the beginning of an error's sentence. Raises `ConfigError`.
    """
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(f"{where(1)}: the text has {len(text)} characters; at most {MOST_CHARACTERS} are read.")
    builder = _Builder(text, where)
    return builder.document(), builder.lines


class _Builder:
    def __init__(self, text: str, where: Callable[[int], str]):
        self.lines: dict[tuple, int] = {}
        self._where = where
        self._line = 1
        self._events = self._checked_events(text)

    def document(self) -> object:
        document, documents = None, 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._error("a second document begins here; keep one and delete the '---' before it")
                document = self._value(next(self._events), ())
        return document

    def _value(self, event: yaml.Event, path: tuple) -> object:
        if len(path) > DEEPEST:
            raise self._error(f"the values are nested more than {DEEPEST} deep; no key needs that")
        match event:
            case yaml.MappingStartEvent():
                return self._mapping(path)
            case yaml.SequenceStartEvent():
                return self._list(path)
            case _:
                return self._scalar(event)

    def _mapping(self, path: tuple) -> dict[str, object]:
        mapping: dict[str, object] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in mapping:
                raise self._error(f"{short(key)} stands here and already in line {self.lines[*path, key]}; keep one")
            self.lines[*path, key] = self._line
            mapping[key] = self._value(next(self._events), (*path, key))
        return mapping

    def _list(self, path: tuple) -> list:
        entries = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            self.lines[*path, len(entries)] = self._line
            entries.append(self._value(event, (*path, len(entries))))
        return entries

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error("a key is a list or a mapping; a key is a word")
        key = self._scalar(event)
        if type(key) is not str:
            raise self._error(
                f"the key {event.value!r} is not a word; put it in quotes" if event.value else "a key is empty"
            )
        return key

    def _scalar(self, event: yaml.ScalarEvent) -> object:
        text = event.value
        if not event.implicit[0]:  # in quotes
            if not is_unicode(text):
                raise self._error("half of a surrogate pair is written as an escape; write the character itself")
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _WHOLE.fullmatch(text):
            return int(text)
        return float(text) if _NUMBER.fullmatch(text) else text

    def _checked_events(self, text: str) -> Iterator[yaml.Event]:
        try:
            for event in yaml.parse(text, yaml.SafeLoader):
                self._line = event.start_mark.line + 1
                if getattr(event, "anchor", None) is not None:
                    raise self._error("anchors and aliases are not read; write the value out, or put it in quotes")
                if getattr(event, "tag", None) is not None:
                    raise self._error(
                        f"tags such as {short(event.tag)} are not read; leave it out, or put the value in quotes"
                    )
                yield event
        except yaml.reader.ReaderError as error:
            self._line = text.count("\n", 0, error.position) + 1
            raise self._error(f"the character U+{error.character:04X} does not belong in a text; delete it") from error
        except yaml.MarkedYAMLError as error:
            self._line = (error.problem_mark or error.context_mark).line + 1
            raise self._not_yaml(error.problem or error.context) from error
        except (ValueError, OverflowError) as error:  # PyYAML passes escapes and versions to chr() and int() unchecked.
            raise self._not_yaml("a number in an escape or a directive is out of range") from error

    def _not_yaml(self, problem: str) -> ConfigError:
        return self._error(
            f"this is not YAML: {' '.join(problem.split())}; indent with spaces, and put a value in quotes that has"
            " any of : # * & ! % @ [ { in it"
        )

    def _error(self, what: str) -> ConfigError:
        return ConfigError(f"{self._where(self._line)}: {what}.")


def is_unicode(text: str) -> bool:
    """Whether a text is free of lone surrogates, which no encoding can write."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
