"""Photographs with boxes as people have them: each layout read by the command, what is wrong said in a sentence."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from train.detection.data import load
from train.prepare import main

BOX = [10.0, 20.0, 30.0, 36.0]


def picture(path, size=(100, 200)):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*size, 3), 120, np.uint8))


def text(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def wider(folder):
    picture(folder / "WIDER_train/images/0--Parade/one.jpg")
    picture(folder / "WIDER_train/images/0--Parade/none.jpg")
    picture(folder / "WIDER_val/images/1--Handshaking/two.jpg")
    text(
        folder / "wider_face_split/wider_face_train_bbx_gt.txt",
        "0--Parade/one.jpg",
        "2",
        "10 20 30 36 0 0 0 0 0 0",
        "50 50 12 12 0 0 0 1 0 0",
        "0--Parade/none.jpg",
        "0",
        "0 0 0 0 0 0 0 0 0 0",
    )
    text(
        folder / "wider_face_split/wider_face_val_bbx_gt.txt",
        "1--Handshaking/two.jpg",
        "1",
        "10 20 30 36 0 0 0 0 0 0",
    )


def yolo(folder):
    for part in ("train", "val"):
        picture(folder / f"images/{part}/one.png")
        text(folder / f"labels/{part}/one.txt", "0 0.125 0.38 0.15 0.36", "1 0.5 0.5 0.1 0.1")


def coco(folder):
    for part in ("train", "val"):
        picture(folder / f"{part}2017/one.jpg")
        document = {
            "images": [{"id": 7, "file_name": "one.jpg"}],
            "categories": [{"id": 0, "name": "face"}, {"id": 1, "name": "dog"}],
            "annotations": [
                {"image_id": 7, "category_id": 0, "bbox": BOX},
                {"image_id": 7, "category_id": 1, "bbox": [90, 40, 20, 20]},
            ],
        }
        text(folder / f"annotations/instances_{part}2017.json", json.dumps(document))


def voc(folder):
    for part in ("train", "val"):
        picture(folder / part / "JPEGImages/one.png")
        objects = "".join(
            f"<object><name>{name}</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin>"
            f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
            for name, (x, y, w, h) in (("0", BOX), ("1", [90, 40, 20, 20]))
        )
        text(folder / part / "Annotations/one.xml", f"<annotation>{objects}</annotation>")


def table(folder):
    picture(folder / "train/one.webp")
    picture(folder / "validation/two.webp")
    text(
        folder / "boxes.csv",
        "part,file,source,x,y,width,height,ignore,teacher_score,teacher_points",
        "train,one.webp,a,10,20,30,36,0,0.9,15 30 30 30 22 36 17 48 28 48",
        "train,one.webp,a,90,40,20,20,1,,",
        "validation,two.webp,a,10,20,30,36,0,,",
        "validation,three.webp,a,,,,,,,",
    )


@pytest.mark.parametrize(
    ("make", "layout", "words"),
    [
        (wider, "WIDER FACE", []),
        (yolo, "YOLO", ["--classes", "0"]),
        (coco, "COCO", ["--classes", "face"]),
        (voc, "VOC", ["--classes", "0"]),
        (table, "boxes.csv", []),
    ],
)
def test_photographs_are_read_as_people_have_them(make, layout, words, tmp_path, capsys):
    make(tmp_path / "set")
    assert main(["boxes", str(tmp_path / "set"), *words, "--out", str(tmp_path / "data")]) == 0
    assert f"pictures of {layout} (" in capsys.readouterr().out
    for part in ("train", "validation"):
        read = load("set", part, tmp_path / "data")
        assert np.allclose(read.labels[0].boxes[0], BOX, atol=1), part
        assert not read.labels[0].ignored[0]


def test_all_classes_are_faces_if_none_is_named(tmp_path):
    yolo(tmp_path / "set")
    assert main(["boxes", str(tmp_path / "set"), "--out", str(tmp_path / "data")]) == 0
    assert len(load("set", "train", tmp_path / "data").labels[0].boxes) == 2


def test_boxes_that_wider_face_calls_invalid_are_ignored_and_pictures_without_faces_are_kept(tmp_path):
    wider(tmp_path / "set")
    assert main(["boxes", str(tmp_path / "set"), "--out", str(tmp_path / "data")]) == 0
    read = load("set", "train", tmp_path / "data")
    assert [labels.ignored.tolist() for labels in read.labels] == [[False, True], []]


def test_points_of_a_table_are_kept(tmp_path):
    table(tmp_path / "set")
    assert main(["boxes", str(tmp_path / "set"), "--out", str(tmp_path / "data")]) == 0
    assert load("set", "train", tmp_path / "data").labels[0].points[0].tolist() == [
        [15, 30],
        [30, 30],
        [22, 36],
        [17, 48],
        [28, 48],
    ]


def test_large_pictures_are_shrunk_with_their_boxes_and_what_is_left_out_is_counted(tmp_path, capsys):
    picture(tmp_path / "set/images/train/one.png", (200, 400))
    text(tmp_path / "set/labels/train/one.txt", "0 0.5 0.5 0.5 0.5", "0 0.5 0.5 0 0.5", "0 nan 0.5 0.1 0.1")
    text(tmp_path / "set/labels/train/gone.txt", "0 0.5 0.5 0.5 0.5")
    words = ["boxes", str(tmp_path / "set"), "--longest-side", "100", "--out", str(tmp_path / "data")]
    assert main(words) == 0
    assert "skipped 2 (box without an area), 1 (unreadable picture)" in capsys.readouterr().out
    read = load("set", "train", tmp_path / "data")
    assert read.picture(0).shape == (50, 100, 3) and read.labels[0].boxes.tolist() == [[25, 12.5, 50, 25]]


def test_pictures_without_faces_need_no_labels(tmp_path):
    picture(tmp_path / "textures/bricks/one.png")
    words = ["boxes", str(tmp_path / "textures"), "--without-faces", "--out", str(tmp_path / "data")]
    assert main(words) == 0
    parts = [part for part in ("train", "validation", "test") if part_is_there(tmp_path / "data", part)]
    assert len(parts) == 1


def part_is_there(data, part):
    from train.data import DataError

    try:
        return len(load("textures", part, data).labels[0].boxes) == 0
    except DataError:
        return False


WIDER_LIST = "wider_face_split/wider_face_train_bbx_gt.txt"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("labels/one.txt", "0 0.5 0.5\n", r"one\.txt:1: is not a box of YOLO \(3 numbers\); write class x y w h\."),
        ("one.json", "[1, 2]", r"one\.json: is not COCO's"),
        (
            "one.json",
            '{"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 9, "bbox": [1]}]}',
            "COCO",
        ),
        ("one.xml", "<annotation>", r"one\.xml: is not VOC's"),
        ("one.xml", "<a><object><bndbox><xmin>x</xmin></bndbox></object></a>", r"one\.xml: is not VOC's"),
        ("boxes.csv", "part,file,x,y,width,height\ntrain,a.png,1,2,x,4\n", r"boxes\.csv:2: is not a box"),
        ("boxes.csv", "part,file,x,y,width,height\nrest,a.png,1,2,3,4\n", "the part of a.png is 'rest'"),
        ("boxes.csv", "file,box\na.png,1\n", r"boxes\.csv:2: is not a box \('part'\)"),
        (WIDER_LIST, "a.jpg\n2\n1 2 3 4\n", r"bbx_gt\.txt:2: is not WIDER FACE's list"),
        (WIDER_LIST, "a.jpg\nmany\n", r"bbx_gt\.txt:2: is not WIDER FACE's list"),
        ("readme.md", "", "is none of boxes.csv, WIDER FACE, YOLO, COCO, VOC"),
    ],
)
def test_labels_that_cannot_be_read_are_one_sentence_with_the_line(name, content, sentence, tmp_path, capsys):
    import re

    path = tmp_path / "set" / name
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert main(["boxes", str(tmp_path / "set"), "--out", str(tmp_path / "data")]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and re.search(sentence, said)


def test_a_teacher_that_is_not_one_is_one_sentence(tmp_path, capsys):
    yolo(tmp_path / "set")
    (tmp_path / "yunet.onnx").write_bytes(b"nothing")
    words = ["boxes", str(tmp_path / "set"), "--teacher", str(tmp_path / "yunet.onnx"), "--out", str(tmp_path / "data")]
    assert main(words) == 2
    assert "yunet.onnx: is not YuNet's model" in capsys.readouterr().err
