"""In which form detect and render are given a picture."""

from __future__ import annotations

import numpy as np

from stages.capturing.encoding import FrameEncoding
from stages.config.schema import Capture, Detect, Frames, Host, Pipeline, Render
from stages.config.settings import Settings, SourceSettings
from stages.protocol.messages import Encoded

PIXELS = np.zeros((2, 2, 3), np.uint8)


def encoding(host: str | list[str], render: str = "desk", **frames) -> FrameEncoding:
    """What a capture on the host desk does, with its detects there and its render here."""
    hosts = {"desk": Host(address="10.0.0.1"), "shed": Host(address="10.0.0.2")}
    stages = {"detect": Detect(host=host)}
    pipeline = Pipeline(stages=stages, hosts=hosts, frames=Frames(**frames), render=Render(host=render))
    return FrameEncoding(
        Settings("capture", 0, pipeline, "", ("",), (SourceSettings("a.mp4", None, False),), {}, {}, "/out")
    )


def forms(encoding: FrameEncoding) -> tuple[str, str, str]:
    """How a detect on this machine, one on another and render are given a picture."""
    given = encoding.to_detect(0, PIXELS, False), encoding.to_detect(0, PIXELS, True), encoding.to_render(0, PIXELS)
    return tuple(g.encoding if isinstance(g, Encoded) else "raw" for g in given)


def test_pictures_are_encoded_for_other_machines_only():
    assert forms(encoding("desk"))[::2] == ("raw", "raw")
    assert forms(encoding("desk", render="shed"))[::2] == ("raw", "jpeg")
    assert forms(encoding("shed", encoding="raw")) == ("raw", "raw", "raw")
    assert forms(encoding(["desk", "shed"], encoding="png")) == ("raw", "png", "raw")


def test_a_source_that_came_after_others_had_gone_is_found_by_its_name():
    pipeline = Pipeline(sources={"door": "a.mp4", "gate": "b.mp4"}, stages={"detect": Detect()})
    sources = tuple(SourceSettings(f"{name}.mp4", name, False) for name in ("door", "yard", "shed", "gate"))
    settings = Settings("capture", 3, pipeline, "", ("",) * 4, sources, {}, {}, "/out", closed=(1, 2))
    assert forms(FrameEncoding(settings))[::2] == ("raw", "raw")


def test_where_one_detect_is_given_jpegs_all_are_so_that_results_do_not_depend_on_who_was_free():
    assert forms(encoding(["desk", "shed"])) == ("jpeg", "jpeg", "raw")


def test_a_picture_is_encoded_once_for_all():
    both = encoding("shed", render="shed")
    assert both.to_detect(3, PIXELS, True) is both.to_render(3, PIXELS)
    assert both.to_render(4, PIXELS) is not both.to_detect(3, PIXELS, True)


def test_a_source_that_came_after_others_were_removed_is_read_on_its_own_machine():
    hosts = {"desk": Host(address="10.0.0.1"), "shed": Host(address="10.0.0.2")}
    pipeline = Pipeline(sources={"yard": 1, "gate": 2}, hosts=hosts, capture=Capture(host={"gate": "shed"}))
    sources = tuple(SourceSettings(spec, name, False) for spec, name in enumerate(("door", "yard", "gate")))
    given = [FrameEncoding(Settings("capture", at, pipeline, "", (), sources, {}, {}, "/out")) for at in (1, 2)]
    assert [forms(each)[2] for each in given] == ["raw", "jpeg"]
