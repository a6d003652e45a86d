"""Every detector, on real photographs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import stages.vision.detectors
from stages.config.schema import Detect, Haar
from stages.vision.detectors import DETECTORS, DetectorError, make_detector, settings_hash
from stages.vision.detectors.detector import overlap
from tests.conftest import PROJECT

SETTINGS = {"longest_side": 640, "smallest_face": 0.1, "threshold": None}


def wanted(name: str, **changed) -> Detect:
    return Detect(detector=name, **(SETTINGS | changed))


BUILT_IN = ("haar", "dlib")
YUNET, MMOD = "face_detection_yunet_2023mar.onnx", "mmod_human_face_detector.dat"


def detect(name: str, pixels: np.ndarray, model: Path | None = None, **changed):
    return make_detector(wanted(name, model=str(model) if model else None, **changed)).detect(pixels)


def assert_same_faces(one: np.ndarray, other: np.ndarray):
    """Both frame the same faces: as many, the same centres within a sixth of the side, sides within a third."""
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        side = (a[2] + b[2]) / 2
        assert np.hypot(*(a[:2] + a[2:] / 2 - b[:2] - b[2:] / 2)) < side / 6
        assert 0.75 < a[2] / b[2] < 1.34
        assert overlap(a, b) > 0.5


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_one_face_of_a_portrait_is_found_and_framed_from_forehead_to_chin(name, astronaut):
    found = detect(name, astronaut)
    assert found.boxes.shape == (1, 4) and found.boxes.dtype == np.float64
    assert found.scores.shape == (1,) and 0.8 < found.scores[0] <= 1
    x, y, width, height = found.boxes[0]
    assert width == height
    # By hand: the eyes lie at (209, 103) and (246, 101), the mouth at (231, 140).
    assert x + 0.30 * width == pytest.approx(209, abs=0.08 * width)
    assert x + 0.69 * width == pytest.approx(246, abs=0.08 * width)
    assert y + 0.285 * height == pytest.approx(102, abs=0.05 * height)


def test_both_built_in_detectors_frame_the_same_face_alike(astronaut):
    assert_same_faces(detect("haar", astronaut).boxes, detect("dlib", astronaut).boxes)


@pytest.mark.parametrize(
    ("picture", "faces"), [("astronaut.png", 1), ("obama.jpg", 1), ("biden.jpg", 1), ("two_people.jpg", 2)]
)
def test_all_detectors_frame_the_same_faces_alike(picture, faces, media, peers):
    pixels = cv2.imread(str(media / picture))
    found = {
        "haar": detect("haar", pixels).boxes,
        "dlib": detect("dlib", pixels).boxes,
        "yunet": detect("yunet", pixels, peers / YUNET).boxes,
    }
    assert len(found["yunet"]) == faces
    assert_same_faces(found["haar"], found["yunet"])
    assert_same_faces(found["dlib"], found["yunet"])


def test_the_cnn_of_dlib_frames_a_face_like_the_others(astronaut, peers):
    head = np.ascontiguousarray(astronaut[20:220, 110:330])  # it takes seconds for more
    found = detect("dlib-cnn", head, peers / MMOD, longest_side=220, smallest_face=0.35)
    assert_same_faces(found.boxes, detect("yunet", head, peers / YUNET, longest_side=220).boxes)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_box_normalization_does_not_depend_on_the_size_of_the_picture(name, astronaut):
    """1024 pixels are shrunk, 140 grow."""
    original = detect(name, astronaut).boxes
    for side in (140, 1024):
        resized = cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA if side < 512 else cv2.INTER_CUBIC)
        found = detect(name, resized)
        assert_same_faces(found.boxes[[found.scores.argmax()]] * 512 / side, original)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_grey_photograph_shows_the_same_faces(name, astronaut):
    grey = cv2.cvtColor(cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    np.testing.assert_array_equal(detect(name, grey).boxes, detect(name, astronaut).boxes)


@pytest.mark.parametrize("name", BUILT_IN)
def test_faces_smaller_than_the_smallest_wanted_are_left_out(name, astronaut):
    assert len(detect(name, astronaut, smallest_face=0.15).boxes) == 1
    assert len(detect(name, astronaut, smallest_face=0.3).boxes) == 0


def test_dlib_finds_smaller_faces_where_longest_side_lets_the_picture_grow(astronaut):
    small = cv2.resize(astronaut, (220, 220), interpolation=cv2.INTER_AREA)
    assert len(detect("dlib", small, longest_side=220).boxes) == 0
    assert_same_faces(detect("dlib", small, longest_side=640).boxes, detect("dlib", astronaut).boxes * 220 / 512)


def test_more_neighbours_ask_for_more_evidence(astronaut):
    assert len(detect("haar", astronaut, haar=Haar(neighbours=0), smallest_face=0.05).boxes) > 1
    assert len(detect("haar", astronaut, haar=Haar(neighbours=200)).boxes) == 0


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (2, 10_000), (10_000, 2), (23, 640)])
def test_a_picture_too_small_or_narrow_for_a_face_has_none(name, size):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert len(detect(name, noise).boxes) == 0


@pytest.mark.parametrize(("name", "model"), [("yunet", YUNET), ("dlib-cnn", MMOD)])
def test_a_picture_too_small_or_narrow_for_a_face_does_not_upset_a_net(name, model, peers):
    detector = make_detector(wanted(name, model=str(peers / model), longest_side=200))
    for size in [(1, 1), (2, 10_000), (10_000, 2), (40, 200), (10, 200), (41, 57)]:
        assert len(detector.detect(np.zeros((*size, 3), np.uint8)).boxes) == 0


@pytest.mark.parametrize("size", [(10, 200), (32, 200), (200, 32), (6, 640), (31, 31)])
def test_yunet_finds_nothing_at_random_in_a_narrow_picture(size, peers):
    """Other pictures in between, because it hangs on what lies in memory."""
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    detector = make_detector(wanted("yunet", model=str(peers / YUNET)))
    for i in range(20):
        detector.detect(np.full((96, 96, 3), i, np.uint8))
        assert len(detector.detect(noise).boxes) == 0


def test_a_picture_of_48_megapixels_is_searched(astronaut):
    huge = np.full((6000, 8000, 3), 128, np.uint8)
    huge[:4096, :4096] = cv2.resize(astronaut, (4096, 4096))
    found = detect("haar", huge)
    assert_same_faces(found.boxes, detect("haar", astronaut).boxes * 8)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_same_picture_gives_the_same_bits_in_whatever_process(name, astronaut, tmp_path):
    detector = make_detector(wanted(name))
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    first = detector.detect(astronaut)
    detector.detect(mirrored)
    again = detector.detect(astronaut)
    np.save(tmp_path / "picture.npy", astronaut)
    code = (
        "import cv2, numpy; cv2.setNumThreads(4)\n"
        "from stages.config.schema import Detect\nfrom stages.vision.detectors import make_detector\n"
        f"picture = numpy.load({str(tmp_path / 'picture.npy')!r})\n"
        f"found = make_detector(Detect(detector={name!r}, **{SETTINGS})).detect(picture)\n"
        "print((found.boxes.tobytes() + found.scores.tobytes()).hex())"
    )
    elsewhere = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    bits = (first.boxes.tobytes() + first.scores.tobytes()).hex()
    assert (again.boxes.tobytes() + again.scores.tobytes()).hex() == bits
    assert elsewhere.stdout.strip() == bits


def test_a_detector_runs_on_one_thread():
    cv2.setNumThreads(4)
    make_detector(wanted("haar"))
    assert cv2.getNumThreads() == 1


@pytest.mark.parametrize("roll", [-20, 0, 20])
def test_yunet_tells_how_a_face_is_tilted_and_its_square_stays_around_it(roll, media, peers):
    picture = cv2.imread(str(media / "obama.jpg"))
    level = detect("yunet", picture, peers / YUNET)
    middle = level.boxes[0, :2] + level.boxes[0, 2:] / 2
    turn = cv2.getRotationMatrix2D(tuple(middle), -roll, 1.0)
    tilted = cv2.warpAffine(picture, turn, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    found = detect("yunet", tilted, peers / YUNET)
    # Its landmarks do not follow a tilted head all the way: it has learned from heads that are mostly upright.
    told = found.rolls[0] - level.rolls[0]
    assert told == 0 if roll == 0 else 0.5 < told / roll < 1.3
    side = level.boxes[0, 2]
    assert found.boxes[0, 2] == pytest.approx(side, rel=0.12)
    np.testing.assert_allclose(found.boxes[0, :2] + found.boxes[0, 2:] / 2, middle, atol=0.06 * side)


def test_dlib_is_imported_for_dlib_alone():
    code = (
        "import sys; from stages.config.schema import Detect\n"
        "from stages.vision.detectors import make_detector, settings_hash\n"
        f"make_detector(Detect(detector='haar', **{SETTINGS}))\n"
        f"settings_hash(Detect(detector='dlib', **{SETTINGS})); print('dlib' in sys.modules)\n"
        f"make_detector(Detect(detector='dlib', **{SETTINGS})); print('dlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_an_unknown_detector_is_refused_with_the_names_there_are():
    with pytest.raises(DetectorError) as refused:
        make_detector(wanted("harr"))
    assert str(refused.value) == "stages.detect.detector is 'harr'; write one of fast, haar, dlib, dlib-cnn, yunet."


@pytest.mark.parametrize("make", [make_detector, settings_hash])
def test_a_detector_without_its_model_says_where_to_get_it(make, tmp_path):
    with pytest.raises(DetectorError) as refused:
        make(wanted("yunet"))
    assert str(refused.value) == (
        "detector yunet needs a model file: get face_detection_yunet_2023mar.onnx from "
        "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet, and add --set"
        " stages.detect.model=FILE."
    )
    with pytest.raises(DetectorError) as refused:
        make(wanted("dlib-cnn", model="no/such.dat"))
    assert str(refused.value) == (
        "stages.detect.model is 'no/such.dat', where there is no file; detector dlib-cnn needs "
        "mmod_human_face_detector.dat, unpacked from http://dlib.net/files/mmod_human_face_detector.dat.bz2."
    )
    with pytest.raises(DetectorError, match="where there is no file"):
        make(wanted("yunet", model=str(tmp_path)))


@pytest.mark.parametrize("name", ["yunet", "dlib-cnn"])
@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n" * 1000, bytes(range(256)) * 400],
    ids=["empty", "text", "bytes"],
)
def test_a_file_that_is_no_model_is_refused(name, content, tmp_path):
    file = tmp_path / "model"
    file.write_bytes(content)
    with pytest.raises(DetectorError) as refused:
        make_detector(wanted(name, model=str(file)))
    assert str(refused.value).startswith(f"{file} is not a model for detector {name}, which needs ")


def test_a_model_that_finds_no_faces_is_refused(tmp_path):
    file = tmp_path / "identity.onnx"
    file.write_bytes(onnx_identity())
    assert cv2.dnn.readNetFromONNX(str(file)).getLayerNames()  # a sound model, of something else
    with pytest.raises(DetectorError, match="identity.onnx is not a model for detector yunet"):
        make_detector(wanted("yunet", model=str(file)))


@pytest.mark.parametrize(("name", "model"), [("yunet", YUNET), ("dlib-cnn", MMOD)])
def test_a_model_that_was_cut_short_is_refused(name, model, peers, tmp_path):
    file = tmp_path / model
    file.write_bytes((peers / model).read_bytes()[:100_000])
    with pytest.raises(DetectorError, match=f"is not a model for detector {name}"):
        make_detector(wanted(name, model=str(file)))


def test_equal_settings_have_equal_hashes_and_every_setting_counts():
    settings = {"name": "haar", **SETTINGS}
    same = settings_hash(wanted(**settings))
    assert len(same) == 64 and int(same, 16)
    assert settings_hash(wanted(**settings)) == same
    assert settings_hash(wanted(**settings, model="unused.onnx")) == same
    for changed in (
        {"name": "dlib"},
        {"longest_side": 641},
        {"smallest_face": 0.11},
        {"threshold": 0.5},
        {"haar": Haar(step=1.21)},
        {"haar": Haar(neighbours=4)},
    ):
        assert settings_hash(wanted(**(settings | changed))) != same


def test_a_whole_number_is_the_same_setting_as_a_fraction():
    assert settings_hash(wanted("haar", smallest_face=1)) == settings_hash(wanted("haar", smallest_face=1.0))


def test_the_content_of_the_model_counts_and_its_place_does_not(tmp_path):
    one, copy, other = tmp_path / "one.onnx", tmp_path / "copy.onnx", tmp_path / "other.onnx"
    one.write_bytes(b"weights")
    shutil.copy(one, copy)
    other.write_bytes(b"Weights")
    hashes = [settings_hash(wanted("yunet", model=str(file))) for file in (one, copy, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_box_normalization_and_the_cascade_count(monkeypatch, tmp_path):
    from stages.vision.crop import BoxNormalization
    from stages.vision.detectors.haar import HaarBackend

    before = settings_hash(wanted("haar"))
    with monkeypatch.context() as patch:
        patch.setattr(HaarBackend, "box_normalization", BoxNormalization(side=0.971, right=0.006, down=0.091))
        assert settings_hash(wanted("haar")) != before
    other = tmp_path / "haarcascade_frontalface_default.xml"
    other.write_text("another cascade")
    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    assert settings_hash(wanted("haar")) != before


@pytest.mark.parametrize("constant", ["POINTS", "DEPTHS", "ENOUGH_SIDE", "ENOUGH_DETAIL", "NOISE"])
def test_what_is_made_of_landmarks_counts(constant, monkeypatch):
    before = settings_hash(wanted("haar"))
    monkeypatch.setattr(stages.vision.detectors, constant, 2 * getattr(stages.vision.detectors, constant))
    assert settings_hash(wanted("haar")) != before


def test_what_only_haar_is_told_is_nothing_to_the_others():
    assert settings_hash(wanted("dlib")) == settings_hash(wanted("dlib", haar=Haar(step=1.5)))


@pytest.mark.parametrize(("name", "low", "high"), [("haar", 0.0, 0.999), ("dlib", 0.5, 1.0), ("yunet", 0.5, 1.0)])
def test_a_higher_threshold_finds_less_in_every_detector(name, low, high, astronaut, peers):
    model = peers / YUNET if name == "yunet" else None
    assert len(detect(name, astronaut, model, threshold=low).boxes) >= 1
    assert len(detect(name, astronaut, model, threshold=high).boxes) == 0


def test_every_name_leads_to_a_detector(peers):
    models = {"yunet": str(peers / YUNET), "dlib-cnn": str(peers / MMOD)}
    for name in DETECTORS:
        detector = make_detector(wanted(name, model=models.get(name), longest_side=100))
        assert len(detector.detect(np.zeros((100, 100, 3), np.uint8)).boxes) == 0


def onnx_identity() -> bytes:
    """A model in ONNX's format that returns its input, float32 (1, 3, 64, 64)."""

    def part(field: int, content: bytes | str) -> bytes:
        content = content.encode() if isinstance(content, str) else content
        return bytes([field << 3 | 2, len(content)]) + content

    def number(field: int, value: int) -> bytes:
        return bytes([field << 3, value])

    def tensor(name: str) -> bytes:
        shape = b"".join(part(1, number(1, size)) for size in (1, 3, 64, 64))
        return part(1, name) + part(2, part(1, number(1, 1) + part(2, shape)))

    node = part(1, "x") + part(2, "y") + part(4, "Identity")
    graph = part(1, node) + part(2, "identity") + part(11, tensor("x")) + part(12, tensor("y"))
    return number(1, 7) + part(7, graph) + part(8, number(2, 11))
