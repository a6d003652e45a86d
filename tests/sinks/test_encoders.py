from __future__ import annotations

from pathlib import Path

import av
import cv2
import pytest

from stages.config.keys import keys_of
from stages.config.schema import ConfigError, Render
from stages.results.errors import OutputError
from stages.results.manifest import Manifest
from stages.sinks import encoders
from stages.sinks.encoders import ENCODERS, Encoder, failure, refuse_encoder
from stages.sinks.segments import made_segment, segments_folder, size_of_first
from stages.sinks.video import VideoWriter
from tests.results.frames import flat, frame
from tests.sinks.clips import watch

SIZE = (64, 48)
RATE = 1.5  # a key frame every three frames
# Other settings, other parameter sets: a player that takes those of the one for the other shows noise.
OTHER = Encoder("libx264", {"preset": "medium", "profile": "high", "qp": "20", "refs": "1"}, pixel_format="nv12")


@pytest.fixture(autouse=True)
def other_encoders(monkeypatch):
    """`other` works, `absent` does not; and what was tried before is forgotten."""
    monkeypatch.setitem(ENCODERS, "other", OTHER)
    monkeypatch.setitem(ENCODERS, "absent", Encoder("h264_nowhere"))
    failure.cache_clear()
    yield
    failure.cache_clear()


def write(path: Path, frames: range, encoder: str) -> VideoWriter:
    """Frames of grey that tells their number, in a segment of their own, as a render writes that was started again."""
    writer = VideoWriter(path, RATE, frames.start, encoder=encoder)
    for number in frames:
        writer.write(frame(number, time=number / RATE), flat(*SIZE, 10 * number))
    writer.finish()
    return writer


def greys(path: Path) -> list[int]:
    return [round(float(picture.mean()) / 10) for picture in watch(path).pictures]


def test_the_configuration_names_every_encoder_and_auto(monkeypatch):
    monkeypatch.undo()
    assert set(keys_of(Render)["encoder"].choices) == {"auto", *ENCODERS}


def test_software_works_everywhere():
    assert failure("software", (640, 360)) is None
    refuse_encoder("software")
    refuse_encoder("auto")


@pytest.mark.parametrize("name", [name for name in ENCODERS if name != "software"])
def test_an_encoder_that_does_not_work_here_is_one_sentence_with_those_that_do(name):
    if (why := failure(name, (640, 360))) is None:
        pytest.skip(f"there is a GPU, and {name} works")
    with pytest.raises(ConfigError) as refused:
        refuse_encoder(name)
    sentence = str(refused.value)
    assert f"render.encoder is {name}" in sentence and why in sentence and "software" in sentence
    assert len(sentence.splitlines()) == 1


def test_an_encoder_that_gives_nothing_a_player_can_read_is_refused(monkeypatch):
    monkeypatch.setitem(ENCODERS, "other", Encoder("mpeg4"))  # It opens and encodes, but not to H.264.
    assert failure("other", (640, 360)) is not None


def test_a_size_that_the_encoder_refuses_is_one_sentence_at_the_first_frame(tmp_path: Path):
    writer = VideoWriter(tmp_path / "clip.mp4", 25, encoder="absent")
    with pytest.raises(OutputError, match=r"the encoder absent cannot write clip.mp4, 64 x 48 .*software"):
        writer.write(frame(0, time=0.0), flat(*SIZE, 0))


def test_another_encoder_gives_the_same_pictures_and_colours(tmp_path: Path, astronaut):
    for encoder in ("software", "other"):
        writer = VideoWriter(tmp_path / f"{encoder}.mp4", 25, encoder=encoder)
        writer.write(frame(0, astronaut, time=0.0), astronaut)
        writer.close()
        film = watch(tmp_path / f"{encoder}.mp4")
        assert (film.codec, film.pixel_format) == ("h264", "yuv420p")
        assert cv2.PSNR(film.pictures[0], astronaut) > 32


@pytest.mark.parametrize("others", [("software", "other"), ("other", "software", "other")])
def test_a_run_that_goes_on_with_another_encoder_loses_no_frame(tmp_path: Path, others):
    path = tmp_path / "clip.mp4"
    for place, encoder in enumerate(others):
        last = write(path, range(6 * place, 6 * place + 6), encoder)
    last.close()
    assert greys(path) == list(range(6 * len(others)))
    for key in range(0, 6 * len(others), 3):  # A player that jumps there reads no frame before it.
        assert round(float(first_after_a_jump(path, key / RATE).mean()) / 10) == key


def test_a_joined_video_of_two_encoders_is_continued_with_either(tmp_path: Path):
    path = tmp_path / "clip.mp4"
    write(path, range(6), "software")
    write(path, range(6, 12), "other").close()
    made_segment(path, 0, 0.0, Manifest(tmp_path))
    assert size_of_first(segments_folder(path)) == SIZE
    write(path, range(12, 18), "software").close()
    assert greys(path) == list(range(18))


def test_auto_takes_the_first_hardware_encoder_that_works_and_says_which(tmp_path: Path, monkeypatch):
    found = {"software": ENCODERS["software"], "nvenc": Encoder("h264_nowhere"), "qsv": OTHER}
    monkeypatch.setattr(encoders, "ENCODERS", found)
    writer = write(tmp_path / "clip.mp4", range(3), "auto")
    assert writer.notes == ["clip.mp4 is encoded by qsv"]


def test_auto_is_software_where_there_is_no_hardware(tmp_path: Path, monkeypatch):
    found = {"software": ENCODERS["software"], "nvenc": Encoder("h264_nowhere")}
    monkeypatch.setattr(encoders, "ENCODERS", found)
    write(tmp_path / "auto.mp4", range(3), "auto").close()
    write(tmp_path / "software.mp4", range(3), "software").close()
    assert (tmp_path / "auto.mp4").read_bytes() == (tmp_path / "software.mp4").read_bytes()


def first_after_a_jump(path: Path, time: float):
    with av.open(str(path)) as container:
        container.seek(round(time * av.time_base), any_frame=False)
        return next(container.decode(video=0)).to_ndarray(format="bgr24")
