"""The command that writes a model card from an ONNX file."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.card import main
from stages.vision.inference import load_model
from stages.vision.inference.card import load_card
from stages.vision.inference.fields import CardError
from tests.vision.inference.onnx_models import LINEAR, TWO_OUTPUTS, declaring, model

PROJECT = Path(__file__).resolve().parents[2]
COMPLETE = ["--labels", "angry,happy,neutral", "--order", "rgb", "--scaling=0,1", "--crop-scale", "1.2"]


@pytest.fixture
def write(tmp_path):
    """Write a net to emotion.onnx, and a card for it with these arguments; returns the status and the card's path."""

    def written(net, *arguments: str) -> tuple[int, Path]:
        file = tmp_path / "emotion.onnx"
        file.write_bytes(net if isinstance(net, bytes) else net.SerializeToString())
        return main([str(file), *arguments]), tmp_path / "emotion.yaml"

    return written


def test_with_all_options_the_card_is_complete_and_the_model_answers_as_it_says(write, capsys):
    status, path = write(model(), *COMPLETE)
    assert status == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Wrote {path}.\nThe answer to the test picture, a drawn face, is angry 0.")
    card = load_card(path)
    assert (card.task, card.outputs, card.labels) == ("classes", "logits", ("angry", "happy", "neutral"))
    assert (card.geometry.width, card.geometry.height, card.geometry.channels, card.geometry.scale) == (24, 24, 3, 1.2)
    assert (card.input.layout, card.input.order, card.input.offset) == ("nchw", "rgb", (0.0,) * 3)
    assert card.sha256 and card.golden
    load_model(card)


def test_the_years_of_an_age_may_be_a_range(write):
    status, path = write(model(), *COMPLETE[2:], "--task", "age", "--labels", "30-32")
    assert status == 0
    assert load_card(path).labels == (30, 31, 32)
    assert load_model(load_card(path)).answers(np.zeros((1, 24, 24, 3), np.uint8)).shape == (1, 3)


def test_what_nobody_says_is_marked_and_refused_until_it_is_filled_in(write, capsys):
    status, path = write(model(), "--labels", "a,b,c")
    assert status == 0
    assert capsys.readouterr().out == f"Wrote {path}.\nReplace TODO in it: input.order, input.range, crop.scale.\n"
    filled = {"input.order": ("order", "bgr"), "input.range": ("range", "[0, 1]"), "crop.scale": ("scale", "1.0")}
    for key, (word, value) in filled.items():
        with pytest.raises(CardError, match=f"{key} is 'TODO'; write "):
            load_card(path)
        path.write_text(path.read_text().replace(f"{word}: TODO", f"{word}: {value}"))
    load_model(load_card(path))


def test_on_a_terminal_it_asks_and_asks_again(write, tmp_path):
    (tmp_path / "emotion.onnx").write_bytes(model(**TWO_OUTPUTS).SerializeToString())
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.card", str(tmp_path / "emotion.onnx")],
        cwd=PROJECT, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, b"q\nz\nyellow\nbgr\n123,117,104 / 58\n1.2\na,b\na,b,c\n")
    said = "".join(_lines(ours))
    assert process.wait() == 0, said
    assert said.count("output-name: one of y, z, negative?") == said.count("order: of the colours: rgb or bgr?") == 2
    assert "labels: the classes in the order of the outputs, 3 of them, with commas between?" in said
    card = yaml.safe_load((tmp_path / "emotion.yaml").read_text())
    assert (card["output_name"], card["outputs"], card["labels"]) == ("z", "probabilities", ["a", "b", "c"])
    assert card["input"]["order"] == "bgr" and card["crop"] == {"scale": 1.2}
    assert (card["input"]["mean"], card["input"]["std"]) == ([123, 117, 104], 58)


def _lines(descriptor: int):
    while True:
        try:
            got = os.read(descriptor, 4096)
        except OSError:  # The other end was closed.
            return
        if not got:
            return
        yield got.decode()


def with_metadata(**entries: str):
    changed = model()
    for key, value in entries.items():
        changed.metadata_props.add(key=key, value=value)
    return changed


LAST = (("Transpose", "picture", "x", {"perm": [0, 3, 1, 2]}), *LINEAR)


@pytest.mark.parametrize(
    ("make", "keys"),
    [
        (lambda: model(LAST, inputs={"picture": ("FLOAT", ["N", 24, 20, 3])}), {"layout": "nhwc", "width": 20}),
        (
            lambda: model(inputs={"x": ("FLOAT", ["N", 1, "h", "w"])}),
            {"channels": 1, "width": "TODO", "height": "TODO"},
        ),
        (lambda: model(inputs={"x": ("FLOAT", ["N", "C", 8, 9])}), {"layout": "TODO"}),
        (lambda: model(inputs={"x": ("UINT8", [1, 3, 24, 24])}), {"dtype": "uint8", "range": None}),
        (lambda: model(inputs={"x": ("FLOAT16", [1, 3, 24, 24])}), {"dtype": "float32"}),
        (lambda: model([*LINEAR[:-1], ("Softmax", "means", "y")]), {"outputs": "probabilities", "task": "classes"}),
        (lambda: model([("Sigmoid", "x", "y")], outputs={"y": ("FLOAT", [1, 1])}), {"task": "classes"}),
        (
            lambda: model([("Neg", "x", "y")], outputs={"y": ("FLOAT", ["N", 1])}),
            {"task": "regression", "labels": None},
        ),
        (lambda: model(**TWO_OUTPUTS), {"output_name": "TODO", "labels": "TODO"}),
        (lambda: with_metadata(names="{0: 'on', 1: 'off', 2: 'yes'}"), {"labels": ["on", "off", "yes"]}),
        (lambda: with_metadata(names="{2: 'yes', 0: 'on', 1: 'off'}"), {"labels": ["on", "off", "yes"]}),
        (lambda: with_metadata(names='{"0": "on", "1": "off", "2": "yes"}'), {"labels": ["on", "off", "yes"]}),
        (lambda: with_metadata(classes="{'off': 1, 'on': 0, 'yes': 2}"), {"labels": ["on", "off", "yes"]}),
        (lambda: with_metadata(classes="{1: 'on', 2: 'off', 3: 'yes'}"), {"labels": "TODO"}),
        (lambda: with_metadata(classes="{'on', 'off', 'yes'}"), {"labels": "TODO"}),
        (lambda: with_metadata(classes="(5)"), {"labels": "TODO"}),
        (lambda: with_metadata(labels='["a", "b", "c"]'), {"labels": ["a", "b", "c"]}),
        (lambda: with_metadata(classes="a\nb\nc"), {"labels": ["a", "b", "c"]}),
        (lambda: with_metadata(classes="a,b"), {"labels": "TODO"}),
        (lambda: with_metadata(names="{" * 5000), {"labels": "TODO"}),
    ],
)
def test_what_the_file_says_is_filled_in(write, make, keys):
    status, path = write(make())
    assert status == 0
    card = yaml.safe_load(path.read_text())
    found = card | card["input"]
    assert {key: found.get(key) for key in keys} == keys


def test_a_single_output_with_labels_is_classes(write):
    net = model([("Neg", "x", "y")], outputs={"y": ("FLOAT", ["N", 1])})
    status, path = write(net, "--labels", "no,yes")
    card = yaml.safe_load(path.read_text())
    assert (status, card["task"], card["labels"]) == (0, "classes", ["no", "yes"])


def test_names_from_a_file_cannot_write_into_the_card(write):
    evil = "y\nruns_code: true\n#"
    net = model(**TWO_OUTPUTS)
    net.graph.node[-1].output[0] = net.graph.output[-1].name = evil
    for arguments in ([], ["--output-name", evil]):
        status, path = write(net, *arguments)
        assert status == 0
        assert yaml.safe_load(path.read_text()).keys() >= {"output_name"}
        assert "runs_code" not in yaml.safe_load(path.read_text())
        path.unlink()


@pytest.mark.parametrize(
    ("make", "arguments", "says"),
    [
        (model, ["--labels", "a,b"], "--labels is 'a,b'; write the classes in the order of the outputs, 3 of them"),
        (model, ["--order", "yellow"], "--order is 'yellow'; write of the colours: rgb or bgr"),
        (model, ["--scaling=1"], "--scaling is '1'; write the values"),
        (model, ["--crop-scale", "nan"], "--crop-scale is 'nan'; write side"),
        (model, ["--task", "boxes"], "--task is 'boxes'; write classes or age or regression"),
        (model, ["--card", "/nowhere/card.yaml"], "/nowhere/card.yaml cannot be written: No such file or directory"),
        (model, [*COMPLETE, "--outputs", "probabilities"], "outputs are probabilities, but those of emotion.onnx are"),
        (lambda: b"This is a text.", [], "emotion.onnx is not an ONNX model or is damaged; put the right file there."),
        (lambda: declaring(10**6), [], "declares weights of 1000000 numbers of type 1 and holds others"),
        (lambda: model(inputs={"x": ("FLOAT", [1, 3])}), [], "takes 1 x 3, which is no picture"),
        (lambda: model(inputs={"x": ("INT64", [1, 3, 24, 24])}), [], "takes int64; export it with an input of float32"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_nothing_is_written(write, tmp_path, capsys, make, arguments, says):
    status, _ = write(make(), *arguments)
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.startswith("facepipe: ") and says in err and err.count("\n") == 1
    assert os.listdir(tmp_path) == ["emotion.onnx"]


def test_a_mistake_is_about_the_model_and_not_about_a_card_that_is_not_there(write, tmp_path, capsys):
    status, path = write(model(), *COMPLETE, "--name", "a\nb")
    said = capsys.readouterr().err
    assert (status, path.exists()) == (2, False)
    assert said.startswith(f"facepipe: {tmp_path}/emotion.onnx: no card is written: name ") and str(path) not in said


def test_nothing_is_overwritten(write, tmp_path, capsys):
    (tmp_path / "emotion.yaml").symlink_to("nowhere")
    assert write(model(), *COMPLETE)[0] == 2
    assert "emotion.yaml is there already; name another card with --card, or delete it." in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


def test_another_kind_of_file_is_one_sentence(tmp_path, capsys):
    assert main([str(tmp_path / "emotion.tflite")]) == 2
    assert "emotion.tflite is no .onnx; write its card by hand, see docs/model-cards.md." in capsys.readouterr().err


def test_a_pipe_is_not_waited_for(tmp_path, capsys):
    os.mkfifo(tmp_path / "emotion.onnx")
    assert main([str(tmp_path / "emotion.onnx")]) == 2
    assert "it is a pipe or a device and not a file" in capsys.readouterr().err
