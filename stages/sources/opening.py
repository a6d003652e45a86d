"""Where pictures come from: camera, file, folder, glob, stream, demo. A new kind is one file, and one line here."""

from __future__ import annotations

from pathlib import Path

from .base import Loop, Source, SourceAway, SourceError
from .listing import Pinned
from .part import Part
from .refusal import is_list, refuse_empty, refuse_file
from .spec import camera_of, path_of

__all__ = ["Part", "Source", "SourceAway", "SourceError", "open_source"]

# The kinds are imported where they are opened: a video needs neither the demo's photographs nor the camera's OpenCV.


def open_source(
    spec: str | int,
    name: str | None = None,
    part: Part | None = None,
    loop: bool = False,
    pinned: Pinned | None = None,
) -> Source:
    """Open what the configuration's `source` names; raises `SourceError`.

    `spec` is `auto`, `demo`, the number of a camera (0 or "0"), a path, a folder, a glob such as `shots/**/*.jpg`, or a
    URL (rtsp, http, https and what else FFmpeg speaks). A file that is called `demo` is `./demo`. `name` replaces the
    source's own name in results and outputs. `part` is what is read of its videos; with `loop` it is read again and
    again. Both are for files. `pinned`: the files of a folder or glob, where they were fixed before.
    """
    source = _open(spec, pinned)
    part = part or Part()
    if source.live and (loop or not part.is_whole):
        source.close()
        raise SourceError(
            f"{source.name} is live, and capture.start, end, fps and loop are for files; leave them out, or record it."
        )
    if not part.is_whole:
        source.take(part)
    if loop:
        source = Loop(source)
    if name is not None:
        source.name = name
    return source


def _open(spec: str | int, pinned: Pinned | None) -> Source:
    if spec == "auto":
        return _camera_or_demo()
    if spec == "demo":
        from .demo import Demo

        return Demo()
    if (camera := camera_of(spec)) is not None:
        return _camera(camera)
    refuse_empty(spec)
    if (path := path_of(spec)) is not None:
        return _path(spec, path, pinned)
    from .stream import open_stream

    return open_stream(spec)


def _camera(number: int) -> Source:
    from .camera import Camera

    return Camera(number)


def _camera_or_demo() -> Source:
    from .camera import first_camera
    from .demo import Demo

    if camera := first_camera():
        camera.chosen = (
            f"{camera.name} opens, so it is the source; --source with a file, folder or URL chooses another."
        )
        return camera
    demo = Demo()
    demo.chosen = "no camera opens, so the demo is the source; --source with a file, folder or URL chooses another."
    return demo


def _path(spec: str, named: str, pinned: Pinned | None) -> Source:
    from .pictures import Pictures, open_file

    path = Path(named)
    if is_list(spec, named):
        return Pictures.of(spec, pinned)
    refuse_file(spec, path)
    return open_file(path)
