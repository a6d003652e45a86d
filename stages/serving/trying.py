"""The page at `/`, on which a person drops a picture; it draws with the scripts of the page of a run."""

from __future__ import annotations

import json
from importlib.resources import files

from starlette.responses import Response

from ..view import web
from ..view.overlay.labels import ID_COLOURS, LABEL_COLOURS, NEUTRAL, css_colour

_KINDS = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_PAGE = "try.html"
_OF_A_RUN = ("areas.js", "dom.js", "icon.svg", "overlay.js", "placement.js", "style.css", "words.js")
# Nothing is loaded from elsewhere; blob: is the picture that was dropped.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class TryPage:
    """The page and what it loads, in memory."""

    def __init__(self) -> None:
        own = {file.name: file.read_bytes() for file in (files(__package__) / "static").iterdir()}
        colours = {
            "labels": {label: css_colour(bgr) for label, bgr in LABEL_COLOURS.items()},
            "people": [css_colour(bgr) for bgr in ID_COLOURS],
            "neutral": css_colour(NEUTRAL),
        }
        self._page = own.pop(_PAGE).replace(b"COLOURS", json.dumps(colours).encode())
        of_a_run = files(web) / "static"
        self._static = own | {name: (of_a_run / name).read_bytes() for name in _OF_A_RUN}

    @property
    def paths(self) -> tuple[str, ...]:
        """All that it answers; it tells nothing about pictures or runs."""
        return ("/", *(f"/static/{name}" for name in self._static))

    def answer(self, path: str) -> Response:
        """The page, or a file of it, by its path: one of `paths`."""
        if path == "/":
            return Response(self._page, media_type="text/html", headers={"Content-Security-Policy": POLICY})
        name = path.rpartition("/")[2]
        return Response(self._static[name], media_type=_KINDS[name.rpartition(".")[2]])
