"""A page in the browser: the newest pictures of a run, and how its faces and its stages are doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...dependencies import missing
from ...errors import reason, way_out
from .listening import WebError

if TYPE_CHECKING:
    from .server import Web


def open_web(**arguments: object) -> Web:
    """A `Web` that serves already; the arguments are its own. Raises `WebError` where its place cannot be had."""
    try:
        from .server import Web  # asyncio and websockets: 0.2 s that no other run has to pay for.
    except ModuleNotFoundError as error:
        if sentence := missing(error):
            raise WebError(f"the page in the browser needs a package: {sentence}") from None
        raise
    try:
        return Web(**arguments)
    except OSError as error:  # Too few descriptors, for one.
        raise WebError(
            f"the page in the browser cannot be served: {reason(error)}; {way_out(error, 'do without --web')}."
        ) from None
