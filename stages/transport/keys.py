"""The keys of the machines: one pair for each host, in files that only their owner can read.

keys/                0700
  .gitignore         all of it
  desk.secret        0600, on the machine desk and nowhere else
  desk.public        on every machine
  shed.public
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import FacepipeError

PUBLIC, SECRET, IGNORE = ".public", ".secret", ".gitignore"
COPY = "copy it here from where --make-keys made it"
_KEY = re.compile(rb"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}\n?")  # Z85, ZeroMQ's way to write 32 bytes
_MORE_BYTES = 42  # than any key has: what is longer is none, and is not read on


class KeysError(FacepipeError):
    """A key is missing, is not one, or can be read by others."""


@dataclass(frozen=True, slots=True, repr=False)  # No repr: a secret must not get into a log.
class Keyring:
    """What one host has to know to speak with the others, and to tell them apart."""

    host: str
    secret: bytes  # 40 characters
    public: dict[str, bytes]  # of every host, this one too

    @property
    def own(self) -> bytes:
        """The public key of this host."""
        return self.public[self.host]

    def host_of(self, public: bytes) -> str | None:
        """Whose key that is; None: nobody's."""
        return next((host for host, key in self.public.items() if key == public), None)


def read_keys(folder: Path, host: str, hosts: Iterable[str]) -> Keyring:
    """The secret key of `host` and the public ones of all `hosts`; raises `KeysError`."""
    if not folder.is_dir():
        raise KeysError(
            f"{folder} does not exist, and stages on several machines need keys; copy them there from where"
            " --make-keys made them, or, only if there are none yet, make them: once, on one machine."
        )
    _refuse_open(folder, "700")
    secret_file = folder / f"{host}{SECRET}"
    secret = _read(secret_file, f"{COPY}, or say with --host which machine this is")
    _refuse_open(secret_file, "600")
    public = {name: _read(folder / f"{name}{PUBLIC}", COPY) for name in hosts}
    twins = {name for name, key in public.items() if list(public.values()).count(key) > 1}
    if twins:
        raise KeysError(f"{', '.join(sorted(twins))} have the same public key in {folder}; each needs its own.")
    return Keyring(host, secret, public)


def make_keys(folder: Path, hosts: Iterable[str], new_pair: Callable[[], tuple[bytes, bytes]]) -> list[str]:
    """Make a pair for every host that has none here; returns the hosts that got one. Raises `KeysError`.

    `new_pair` returns a public and a secret key.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeysError(f"{folder} cannot be made: {error.strerror}; name another folder with --make-keys.") from None
    _refuse_open(folder, "700")
    if not (folder / IGNORE).exists():  # Before the first secret is there: nobody is to commit one.
        _write(folder / IGNORE, b"*", 0o644)
    made = []
    for host in hosts:
        files = folder / f"{host}{PUBLIC}", folder / f"{host}{SECRET}"
        if any(file.exists() for file in files):
            continue  # A key in use is never replaced: whoever wants a new one removes the old one first.
        public, secret = new_pair()
        _write(files[1], secret, 0o600)
        _write(files[0], public, 0o644)
        made.append(host)
    return made


def _read(file: Path, remedy: str) -> bytes:
    try:
        with file.open("rb") as opened:
            key = opened.read(_MORE_BYTES)
    except FileNotFoundError:
        raise KeysError(f"{file} does not exist; {remedy}.") from None
    except OSError as error:
        raise KeysError(f"{file} cannot be read: {error.strerror}; {remedy}.") from None
    if not _KEY.fullmatch(key):
        raise KeysError(f"{file} does not hold a key of 40 characters; {remedy}.")
    return key.rstrip(b"\n")


def _write(file: Path, line: bytes, mode: int) -> None:
    try:
        # Made with its permissions, so that it is at no moment readable for others.
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as opened:
            opened.write(line + b"\n")
    except OSError as error:
        raise KeysError(f"{file} cannot be written: {error.strerror}; name another folder with --make-keys.") from None


def _refuse_open(path: Path, mode: str) -> None:
    """Raise where others than the owner could read a key, or put one of theirs in its place."""
    if os.name != "posix":
        return  # Windows has other permissions; a user's own folder is private there.
    found = path.stat()
    if found.st_uid not in (os.getuid(), 0) or stat.S_IMODE(found.st_mode) & 0o077:
        raise KeysError(
            f"{path} is open to others; chmod {mode} {path}, and make new keys if somebody may have read it."
        )
