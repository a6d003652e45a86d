"""Sets that are not at hand, written in their layouts; and any folder of class subfolders."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from stages.config.schema import Detect
from stages.vision.detectors import make_detector
from tests.train.conftest import write_aaf, write_folders, write_imdb, write_utkface, write_web
from train.data import part_by_name, read_cache
from train.duplicates import difference_hash, groups_of
from train.loaders.folders import DETECTION, add
from train.loaders.reading import Read
from train.prepare import main, prepare


def prepared(arguments, out, name, capsys):
    code = main([*map(str, arguments), "--out", str(out)])
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out, read_cache(out / f"{name}.npz")


def test_class_folders_become_an_attribute_with_their_names_as_labels(tmp_path, capsys):
    write_folders(tmp_path / "glasses")
    (tmp_path / "glasses/on/broken.jpg").write_bytes(b"no picture")
    line, cache = prepared(["folders", tmp_path / "glasses"], tmp_path / "data", "glasses", capsys)
    assert "glasses: 80 pictures" in line and "1 (unreadable picture)" in line
    assert cache["glasses_labels"].tolist() == ["off", "on"]
    assert cache["glasses"].tolist() == [0] * 40 + [1] * 40
    assert set(cache["part"].tolist()) == {0, 1, 2}


def test_near_copies_of_a_picture_fall_into_one_part(tmp_path, capsys, astronaut):
    write_folders(tmp_path / "glasses")
    face = astronaut[30:190, 150:310]
    for number in range(12):
        copy = cv2.resize(cv2.convertScaleAbs(face, alpha=1 - 0.03 * number), (150 + number, 150 + number))
        cv2.imwrite(str(tmp_path / f"glasses/on/copy{number}.png"), copy)
    _, cache = prepared(["folders", tmp_path / "glasses"], tmp_path / "data", "glasses", capsys)
    assert len(set(cache["part"][-12:].tolist())) == 1


def test_copies_are_near_and_others_are_far(astronaut):
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    face, elsewhere = grey[30:190, 150:310], grey[300:460, 20:180]
    darker = cv2.resize(face, (70, 70)) // 2
    assert groups_of([face, elsewhere, darker, None, None]).tolist() == [0, 1, 0, 3, 4]
    assert (difference_hash(face) != difference_hash(elsewhere)).sum() > 60


def test_whole_photographs_are_looked_through_for_a_face(tmp_path, astronaut):
    cv2.imwrite(str(tmp_path / "face.png"), astronaut)
    cv2.imwrite(str(tmp_path / "none.png"), np.full((200, 200, 3), 90, np.uint8))
    read, finder = Read(), make_detector(Detect(detector="haar", **DETECTION))
    assert [add(read, tmp_path / name, "hat", 1, finder) for name in ("face.png", "none.png")] == [True, False]
    assert read.skipped == {"no face found": 1}
    (row,) = read.rows
    assert row["pictures"].shape == (96, 96, 3) and row["hat"] == 1
    assert row["pictures"][30:70, 30:66].mean() > 100  # skin, where the face must be


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        ({"one": 30}, "glasses: has 1 subfolders; give each class one"),
        ({"one": 30, "two": 0}, "glasses/two: has no usable picture"),
        ({"one": 30, "two": 1}, "glasses: class 2 has no picture to"),
    ],
)
def test_classes_too_few_or_empty_are_refused(classes, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for label, count in classes.items():
        (tmp_path / "glasses" / label).mkdir(parents=True)
        for number in range(count):
            cv2.imwrite(f"glasses/{label}/{number}.png", rng.integers(0, 256, (40, 40), dtype=np.uint8))
    assert main(["folders", "glasses", "--out", "data"]) == 2
    assert capsys.readouterr().err.startswith(sentence)
    assert not (tmp_path / "data").exists()


def test_jaffe_is_read_by_its_file_names_and_serves_to_test_alone(tmp_path, capsys, astronaut):
    (tmp_path / "jaffe").mkdir()
    for name in ("KA.AN1.39.tiff", "KA.HA2.30.tiff", "MK.NE1.113.tiff", "readme.tiff"):
        cv2.imwrite(str(tmp_path / "jaffe" / name), astronaut[0:256, 96:352])
    line, cache = prepared([tmp_path, "jaffe"], tmp_path / "data", "jaffe", capsys)
    assert "3 pictures (0 train, 0 validation, 3 test); skipped 1 (file name not PERSON.EMOTION.NUMBER)" in line
    assert cache["emotion"].tolist() == [0, 3, 6]
    assert cache["source"].tolist() == ["KA", "KA", "MK"]


def test_imdb_is_filtered_and_every_reason_is_counted(tmp_path, capsys):
    nan = float("nan")
    good = (34, 1.0, 3.2, nan)
    rows = [good, (50, 0.0, 2.0, nan), (34, 1.0, -np.inf, nan), (34, 1.0, 3.0, 1.5), (34, nan, 3.0, nan)]
    write_imdb(tmp_path / "imdb", [*rows, (150, 1.0, 3.0, nan)])
    line, cache = prepared(["imdb", "--mat", tmp_path / "imdb/imdb.mat"], tmp_path / "data", "imdb", capsys)
    assert "imdb: 2 pictures" in line
    for reason in ("age not 1 to 100", "face score low or missing", "a second face", "no gender"):
        assert f"1 ({reason})" in line
    assert cache["age"].tolist() == [34, 50]
    assert cache["gender"].tolist() == [0, 1]  # man, woman; the table has it the other way round


def test_imdb_and_wiki_are_two_caches_and_say_what_they_were_not_compared_with(tmp_path, capsys):
    for name, age in (("imdb", 34), ("wiki", 50)):
        write_imdb(tmp_path, [(age, 1.0, 3.2, float("nan"))], name)
        said, _ = prepared(["imdb", "--mat", tmp_path / f"{name}.mat"], tmp_path / "data", name, capsys)
        assert f"{name}: not compared with utkface, which is not prepared" in said
        assert f"{name}: 1 pictures" in said and f"data/{name}.npz" in said
    assert [read_cache(tmp_path / f"data/{name}.npz")["age"].tolist() for name in ("imdb", "wiki")] == [[34], [50]]


def test_a_file_that_is_no_table_of_imdb_is_refused(tmp_path, capsys):
    pytest.importorskip("scipy.io")
    (tmp_path / "imdb.mat").write_bytes(b"no table" * 40)
    assert main(["imdb", "--mat", str(tmp_path / "imdb.mat")]) == 2
    assert "imdb.mat: is not IMDB-WIKI's table, or is damaged" in capsys.readouterr().err


def test_utkface_without_a_split_is_divided_by_near_copies(tmp_path):
    write_utkface(tmp_path)
    (tmp_path / "UTKFace/split.csv").unlink()
    (line,) = prepare(tmp_path, ["utkface"], tmp_path / "data")
    assert "utkface: 60 pictures" in line
    assert read_cache(tmp_path / "data/utkface.npz")["age"].min() == 10


def test_a_picture_of_utkface_that_lies_in_several_folders_is_read_once(tmp_path):
    """As Kaggle's copy has them."""
    write_utkface(tmp_path)
    folder = tmp_path / "UTKFace"
    (folder / "split.csv").unlink()
    pictures = sorted(folder.glob("*.png"))
    for place, count in (("UTKFace", 60), ("crop_part1", 20), ("utkface_aligned_cropped/UTKFace", 60)):
        (folder / place).mkdir(parents=True)
        for path in pictures[:count]:
            shutil.copy(path, folder / place)
    for path in pictures:
        path.unlink()
    (line,) = prepare(tmp_path, ["utkface"], tmp_path / "data")
    assert "utkface: 60 pictures" in line and "skipped 80 (in another folder, too)" in line
    cache = read_cache(tmp_path / "data/utkface.npz")
    assert cache["age"].tolist() == [10 + i for i in range(60)]


def test_the_part_of_a_name_is_the_same_on_every_machine():
    assert [part_by_name(f"{i}.png") for i in range(5)] == ["train", "train", "test", "train", "train"]


def test_kaggle_without_its_command_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["kaggle", "fer2013", "--into", str(tmp_path / "sets")]) == 2
    assert capsys.readouterr().err.startswith("The command kaggle is missing; pip install kaggle")


def test_what_kaggle_gives_is_unpacked_where_it_is_read_from(fer2013, tmp_path, monkeypatch, capsys):
    """A command of that name, which copies a made-up data set to where it is told."""
    kaggle = tmp_path / "bin/kaggle"
    kaggle.parent.mkdir()
    kaggle.write_text(f'#!/bin/sh\n[ "$3" = msambare/fer2013 ] && cp {fer2013}/fer2013/* "$5"\n')
    kaggle.chmod(0o755)
    monkeypatch.setenv("PATH", f"{kaggle.parent}:/usr/bin:/bin")
    line, _ = prepared(["kaggle", "fer2013", "--into", tmp_path / "new"], tmp_path / "data", "fer2013", capsys)
    assert "84 pictures (56 train, 14 validation, 14 test)" in line


def test_a_download_that_fails_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    kaggle = tmp_path / "bin/kaggle"
    kaggle.parent.mkdir()
    kaggle.write_text("#!/bin/sh\necho 401 - Unauthorized >&2; exit 1\n")
    kaggle.chmod(0o755)
    monkeypatch.setenv("PATH", f"{kaggle.parent}:/usr/bin:/bin")
    assert main(["kaggle", "utkface", "--into", str(tmp_path / "new")]) == 2
    assert "did not give jangedoo/utkface-new (401 - Unauthorized); is your key" in capsys.readouterr().err
    assert list((tmp_path / "new").iterdir()) == []


def test_all_age_faces_has_its_labels_in_the_names_and_faces_stand_upright(tmp_path, capsys):
    eyes = np.full((220, 200, 3), 90, np.uint8)
    for x in (80, 120):
        cv2.circle(eyes, (x, 80), 4, (255, 255, 255), -1)
    tilted = cv2.warpAffine(eyes, cv2.getRotationMatrix2D((100, 80), -25, 1), (200, 220))
    faces = {"00012A07": (eyes, 40, 0), "07380A80": (eyes, 40, 0), "07381A33": (tilted, 40, 25)}
    write_aaf(tmp_path / "All-Age-Faces Dataset", faces)
    (tmp_path / "All-Age-Faces Dataset/key points/07380A80.txt").write_text("1 2 3", encoding="ascii")
    cv2.imwrite(str(tmp_path / "All-Age-Faces Dataset/original images/cover.jpg"), eyes)
    line, cache = prepared([tmp_path, "aaf"], tmp_path / "data", "aaf", capsys)
    assert "skipped 1 (file name not NUMBERAAGE), 1 (not 49 key points)" in line
    assert "not compared with utkface, which is not prepared" in line
    assert cache["age"].tolist() == [7, 33] and cache["gender"].tolist() == [1, 0]
    for picture, box in zip(cache["pictures"], cache["boxes"], strict=True):
        y, x = np.nonzero(picture[:, :, 0] > 200)
        x, y = (x + 0.5 - box[0]) / box[2], (y + 0.5 - box[1]) / box[3]
        assert x[x < 0.5].mean() == pytest.approx(0.305, abs=0.02) and x[x > 0.5].mean() == pytest.approx(
            0.695, abs=0.02
        )
        assert y.mean() == pytest.approx(0.285, abs=0.02)


def test_pictures_from_the_web_that_utkface_holds_out_are_left_out(tmp_path, capsys, astronaut):
    write_astronaut_held_out(tmp_path, astronaut)
    for name, picture in (("0", astronaut[56:185, 162:291]), ("1", astronaut[300:429, 20:149])):
        (tmp_path / "web/woman").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / f"web/woman/{name}.png"), picture)
    write_web(tmp_path, [[f"woman/{name}.png", "Female", "actors100", "train"] for name in "01"])
    write_imdb(tmp_path, [(40, 0.0, 3.2, float("nan"))] * 2)
    cv2.imwrite(str(tmp_path / "01/nm0000001_rm1_1970.jpg"), astronaut[37:208, 143:314])  # 40 % around the box
    for arguments, name in (([tmp_path, "web"], "web"), (["imdb", "--mat", tmp_path / "imdb.mat"], "imdb")):
        said, cache = prepared(arguments, tmp_path / "data", name, capsys)
        assert "skipped 1 (like a picture that utkface holds out)" in said and len(cache["part"]) == 1


def write_astronaut_held_out(folder, astronaut):
    """Write and prepare a UTKFace of one picture, in its test part."""
    (folder / "UTKFace").mkdir()
    cv2.imwrite(str(folder / "UTKFace/40_1_0_1.png"), cv2.resize(astronaut[75:170, 180:275], (96, 96)))
    (folder / "UTKFace/split.csv").write_text("file,dup_group,part\n40_1_0_1.png,,test\n", encoding="ascii")
    assert main([str(folder), "utkface", "--out", str(folder / "data")]) == 0


def test_a_picture_that_another_set_holds_out_is_not_read_twice(tmp_path, capsys, astronaut):
    (tmp_path / "UTKFace").mkdir()
    cv2.imwrite(str(tmp_path / "UTKFace/40_1_0_1.png"), cv2.resize(astronaut[56:212, 148:304], (96, 96)))
    (tmp_path / "UTKFace/split.csv").write_text("file,dup_group,part\n40_1_0_1.png,,test\n", encoding="ascii")
    face, other = (cv2.resize(part, (200, 200)) for part in (astronaut[20:260, 100:340], astronaut[260:500, 0:240]))
    # The eyes of both where UTKFace's framing has them in that picture.
    faces = {
        name: (cv2.warpAffine(p, np.float32([[1, 0, -3], [0, 1, 13]]), (200, 220)), 51, 0)
        for name, p in {"00001A40": face, "00002A40": other}.items()
    }
    write_aaf(tmp_path / "All-Age-Faces Dataset", faces)
    main([str(tmp_path), "utkface", "--out", str(tmp_path / "data")])
    line, cache = prepared([tmp_path, "aaf"], tmp_path / "data", "aaf", capsys)
    assert "skipped 1 (like a picture that utkface holds out)" in line
    assert len(cache["part"]) == 1 and abs(cache["pictures"][0].mean() - other.mean()) < 40
