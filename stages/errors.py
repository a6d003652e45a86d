"""The base of every error that is the user's to mend; the command prints it as one sentence."""

from __future__ import annotations

import errno

_FULL = "make room"
_NOT_YOURS = "mend its permissions"
_WAYS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "allow larger files, with ulimit -f",
    errno.EACCES: _NOT_YOURS,
    errno.EPERM: _NOT_YOURS,
    errno.EMFILE: "allow more open files, with ulimit -n",
    errno.ENFILE: "this machine has too many files open; end other programs",
    errno.ENOMEM: "end other programs, to free memory",
    errno.EAGAIN: "allow more processes, with ulimit -u, or end other programs",
    errno.EIO: "the disk itself failed; its machine's log says more",
    errno.ESTALE: "connect its file system again",
    errno.ENAMETOOLONG: "choose a shorter name",
}


class FacepipeError(Exception):
    """What is wrong, where, and what to do, in one sentence."""


class StartupRejected(FacepipeError):
    """What this process was told cannot be, and only its work could show it: the run ends as if it had been refused."""


def way_out(error: Exception, *otherwise: str) -> str:
    """What to do about an error of the operating system, by its cause; `otherwise`: other ways that help as well."""
    own = _WAYS.get(getattr(error, "errno", None))
    return " or ".join([*([own] if own else []), *otherwise])


def reason(error: Exception) -> str:
    """Why, in the words of the system or of the library, without the full stop."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0].rstrip(". ")
