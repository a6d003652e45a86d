from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stages.frames import CropGeometry
from stages.vision.inference.card import Card, load_card, unchecked
from stages.vision.inference.digest import card_hash, file_sha256
from stages.vision.inference.fields import CardError
from tests.vision.inference.conftest import AGE, EMOTION

INPUT = EMOTION["input"]
REGRESSION = {key: value for key, value in EMOTION.items() if key not in ("labels", "outputs")} | {"task": "regression"}


def test_a_card_says_everything_about_its_model(write_card, tmp_path):
    card = load_card(
        write_card(
            sha256="AB" * 32,
            crop={"scale": 1.3},
            keep=["neutral", "happy"],
            temperature=2,
            golden={"scores": [0.25, 0.75], "tolerance": 0.01},
            trained={"data": ["FER2013"]},
            figures={"PrivateTest": {"accuracy": 0.66}},
            limits="Grey pictures only.",
        )
    )
    assert card.name == "emotion"
    assert card.file == tmp_path / "emotion.tflite"
    assert card.sha256 == "ab" * 32
    assert card.geometry == CropGeometry(width=24, height=24, channels=1, scale=1.3)
    assert card.input.scale == (2 / 255,) and card.input.offset == (-1.0,)
    assert card.labels == ("angry", "happy", "neutral")
    assert card.shown == ("neutral", "happy")
    assert card.temperature == 2.0
    assert card.golden.scores == (0.25, 0.75)
    assert unchecked(card) is None


def test_what_may_be_left_out_has_a_neutral_meaning(write_card):
    card = load_card(write_card(outputs=...))
    assert card.outputs == "probabilities"
    assert card.input.dtype == "float32" and card.input.order == "bgr"
    assert (card.geometry.scale, card.temperature, card.keep) == (1.0, 1.0, ())
    assert card.shown == card.labels


def test_labels_that_other_yaml_readers_take_for_true_and_false_stay_words(write_card):
    path = write_card(labels=...)
    path.write_text(path.read_text() + "labels: [yes, no, off]\n")
    assert load_card(path).labels == ("yes", "no", "off")


@pytest.mark.parametrize(
    ("changes", "key", "hint"),
    [
        ({"task": "clases"}, "task is 'clases'", "classes or age or regression"),
        ({"task": ...}, "task is missing", "classes"),
        ({"name": 7}, "name is 7", "a short name"),
        ({"file": ...}, "file is missing", "path of the weights"),
        ({"colour": "grey"}, "colour is not a key", "temperature"),
        ({"sha256": "12"}, "sha256 is '12'", "64 hexadecimal digits"),
        ({"temperature": 0}, "temperature is 0", "above 0"),
        ({"temperature": -1.5}, "temperature is -1.5", "above 0"),
        ({"temperature": True}, "temperature is true", "above 0"),
        ({"temperature": 10**400}, "temperature is inf", "above 0"),
        ({"outputs": "softmax"}, "outputs is 'softmax'", "probabilities or logits"),
        ({"labels": ["one"]}, "labels is ['one']", "2 to 1024 different words"),
        ({"labels": ["a", "b", "a"]}, "labels is", "different words"),
        ({"labels": [1, 2]}, "labels is [1, 2]", "in quotes"),
        ({"labels": "a, b"}, "labels is 'a, b'", "a list"),
        ({"keep": ["happy", "bored"]}, "keep is ['happy', 'bored']", "angry, happy, neutral"),
        ({"keep": ["happy", "happy"]}, "keep is", "each once"),
        ({"keep": []}, "keep is []", "2 or more"),
        ({"labels": [f"face {i}" for i in range(65)]}, "labels are 65", "at most 64"),
        ({"golden": {"scores": [0.5, 0.5], "tolerance": 0.01}}, "golden.scores has 2", "write 3, for angry, happy"),
        ({"golden": {"scores": [1, 0, 0]}}, "golden.tolerance is missing", "above 0"),
        ({"golden": [1, 0, 0]}, "golden is [1, 0, 0]", "tolerance"),
        ({"crop": {"scale": 0}}, "crop.scale is 0", "0.1 to 10"),
        ({"crop": {"margin": 1.3}}, "crop.margin is not a key", "scale"),
        ({"input": 64}, "input is 64", "width: 64"),
        ({"input": INPUT | {"width": 0}}, "input.width is 0", "1 to 512"),
        ({"input": INPUT | {"width": True}}, "input.width is true", "1 to 512"),
        ({"input": INPUT | {"width": 24.0}}, "input.width is 24.0", "1 to 512"),
        ({"input": INPUT | {"channels": 4}}, "input.channels is 4", "1 for grey or 3"),
        ({"input": INPUT | {"channels": True}}, "input.channels is true", "1 for grey or 3"),
        ({"input": INPUT | {"dtype": "float16"}}, "input.dtype is 'float16'", "float32 or uint8 or int8"),
        ({"input": INPUT | {"range": [1, -1]}}, "input.range is [1, -1]", "[low, high]"),
        ({"input": INPUT | {"dtype": "uint8"}}, "input.range does not go with dtype: uint8", "delete it"),
        ({"input": INPUT | {"mean": 127.5, "std": 58}}, "input.range does not go with mean and std", "delete it"),
        ({"input": INPUT | {"order": "rgb"}}, "input.order does not go with channels: 1", "delete it"),
        ({"input": INPUT | {"layout": "chw"}}, "input.layout is 'chw'", "nhwc or nchw"),
        ({"output_name": 7}, "output_name is 7", "the name of one of the net's outputs"),
        ({"file": "e.onnx", "runtime": "dnn"}, "runtime is 'dnn'", "auto or onnxruntime or opencv"),
        ({"runtime": "opencv"}, "runtime does not go with file: emotion.tflite", "delete it"),
        ({"input": {"width": 24, "height": 24, "channels": 1}}, "input.range is missing", "mean and std"),
        ({"input": {"width": 8, "height": 8, "channels": 3, "mean": [1, 2], "std": 1}}, "input.mean is [1, 2]", "or 3"),
        ({"input": {"width": 8, "height": 8, "channels": 3, "mean": 1, "std": [1, 0, 1]}}, "input.std is", "above 0"),
    ],
)
def test_a_mistake_is_one_sentence_with_card_key_and_what_is_allowed(write_card, changes, key, hint):
    path = write_card(**changes)
    with pytest.raises(CardError) as raised:
        load_card(path)
    sentence = str(raised.value)
    assert sentence.startswith(f"{path}: {key}")
    assert hint in sentence
    assert sentence.endswith(".") and "\n" not in sentence


@pytest.mark.parametrize("labels", [[5, 5], [10, 5], [-1, 5], ["young", "old"], [3]])
def test_bin_centres_of_an_age_ascend_from_0_on(write_card, labels):
    with pytest.raises(CardError, match="labels is .*centres of the bins in years"):
        load_card(write_card(AGE, labels=labels))


@pytest.mark.parametrize(
    "groups",
    [{}, {"child": 0}, {"child": 13, "young": 0}, {"child": 0, "young": 0}, {"child": "0", "b": 1}, []],
)
def test_groups_of_ages_have_names_and_years_that_ascend(write_card, groups):
    with pytest.raises(CardError, match="groups is .*names with the year in which each begins"):
        load_card(write_card(AGE, groups=groups))


def test_groups_of_ages_are_what_the_card_shows_and_are_for_ages_alone(write_card):
    card = load_card(write_card(AGE, groups={"child": 0, "adult": 18}))
    assert card.shown == ("child", "adult")
    with pytest.raises(CardError, match="groups does not go with task: classes"):
        load_card(write_card(groups={"child": 0, "adult": 18}))


@pytest.mark.parametrize("key", ["keep"])
def test_an_age_has_no_labels_to_choose_from(write_card, key):
    with pytest.raises(CardError, match=f"{key} does not go with task: age; delete it"):
        load_card(write_card(AGE, **{key: [10, 20]}))


@pytest.mark.parametrize(("key", "value"), [("labels", ["a", "b"]), ("outputs", "logits"), ("temperature", 1)])
def test_a_regression_has_neither_labels_nor_probabilities(write_card, key, value):
    assert load_card(write_card(REGRESSION)).shown == ("value",)
    with pytest.raises(CardError, match=f"{key} does not go with task: regression; delete it"):
        load_card(write_card(REGRESSION, **{key: value}))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"- file: a\n", "is [{'file': 'a'}]"),
        (b"name: a\nname: b\n", ":2: name stands here and already in line 1; keep one"),
        (b"name: [a\n", "expected ',' or ']'"),
        (b"name: &a [x, x]\nlabels: [*a, *a]\n", ":1: anchors and aliases are not read"),
        (b"name: !!python/object:os.system x\n", "tags such as tag:yaml.org,2002:python/object:os.system are not"),
        (b"? [a, b]\n: c\n", ":1: a key is a list or a mapping"),
        (b"\x89PNG\r\n\x1a\n", "is not UTF-8 text"),
        (b"name: a\x00b\n", ":1: the character U+0000 does not belong in a text"),
        (b"[" * 5000, ":1: the values are nested more than 16 deep"),
        (b"name: " + b"9" * 5000, "task is missing"),
        (b"#" * 1_000_001, "is larger than 1000000 bytes"),
    ],
)
def test_a_file_that_is_no_card_is_one_sentence(tmp_path, content, says):
    path = tmp_path / "card.yaml"
    path.write_bytes(content)
    with pytest.raises(CardError) as raised:
        load_card(path)
    assert says in str(raised.value) and str(path) in str(raised.value)


def test_a_card_that_is_missing_or_a_folder_is_one_sentence(tmp_path):
    with pytest.raises(CardError, match="No such file or directory; write the path of a card"):
        load_card(tmp_path / "none.yaml")
    with pytest.raises(CardError, match="Is a directory; write the path of a card"):
        load_card(tmp_path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*INPUT, "scores", "tolerance"]), inner)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from([*EMOTION, "sha256", "crop", "keep", "temperature", "golden", "trained"])


@given(changes=st.dictionaries(KEYS, VALUES, min_size=1, max_size=3))
def test_whatever_stands_in_a_card_it_is_read_or_refused_in_one_sentence(tmp_path, changes):
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump(EMOTION | changes), encoding="utf-8")
    try:
        card = load_card(path)
    except CardError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert card.temperature > 0 and set(card.keep) <= set(card.labels)


def test_the_hash_of_a_card_is_that_of_its_meaning(write_card, tmp_path):
    (tmp_path / "emotion.tflite").write_bytes(b"weights")
    plain = load_card(write_card())
    same = [
        load_card(write_card(name="feelings", limits="none", temperature=1.0)),
        load_card(write_card(sha256=hashlib.sha256(b"weights").hexdigest())),
        load_card(write_card(golden={"scores": [1, 0, 0], "tolerance": 0.1})),
        load_card(write_card(input=INPUT | {"dtype": "float32", "layout": "nhwc"})),
    ]
    assert {card_hash(card) for card in same} == {card_hash(plain)}
    assert len(card_hash(plain)) == 64


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 1.01},
        {"keep": ["happy", "neutral"]},
        {"labels": ["happy", "angry", "neutral"]},
        {"outputs": "probabilities"},
        {"crop": {"scale": 1.01}},
        {"input": INPUT | {"range": [0, 1]}},
        {"input": INPUT | {"range": [-1, 2]}},
        {"input": INPUT | {"height": 25}},
        {"input": INPUT | {"layout": "nchw"}},
        {"output_name": "emotion"},
        {"sha256": "00" * 32},
    ],
)
def test_everything_that_changes_answers_changes_the_hash(write_card, tmp_path, changes):
    (tmp_path / "emotion.tflite").write_bytes(b"weights")
    plain, changed = load_card(write_card()), load_card(write_card(**changes))
    assert card_hash(plain) != card_hash(changed)


def test_without_a_hash_in_the_card_the_file_is_read(write_card, tmp_path):
    card = load_card(write_card())
    with pytest.raises(CardError, match=r"emotion\.tflite, which does not exist; put the model there"):
        card_hash(card)
    (tmp_path / "emotion.tflite").write_bytes(b"weights")
    first = card_hash(card)
    (tmp_path / "emotion.tflite").write_bytes(b"Weights")
    assert card_hash(card) != first


def test_the_hash_of_a_folder_covers_names_and_contents(write_card, tmp_path):
    card = load_card(write_card(file="net"))
    (tmp_path / "net" / "variables").mkdir(parents=True)
    (tmp_path / "net" / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "net" / "variables" / "a").write_bytes(b"1")
    first = file_sha256(card)
    (tmp_path / "net" / "variables" / "a").rename(tmp_path / "net" / "variables" / "b")
    renamed = file_sha256(card)
    (tmp_path / "net" / "variables" / "b").write_bytes(b"2")
    assert len({first, renamed, file_sha256(card)}) == 3


def test_a_folder_that_is_no_saved_model_is_refused_before_it_is_read(write_card, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "film.mkv").touch()
    os.truncate(tmp_path / "home" / "film.mkv", 2**42)  # Reading it would take an hour.
    with pytest.raises(CardError, match=r"file names .*home, a folder that is no SavedModel; put the right"):
        file_sha256(load_card(write_card(file="home")))


def test_the_card_of_a_detector_is_not_one_of_a_net_that_labels_faces():
    with pytest.raises(CardError, match=r"faces\.yaml: task is 'faces'; write classes or age or regression"):
        load_card(Path(__file__).parents[3] / "models/faces.yaml")


def test_a_card_says_what_nobody_checks(write_card):
    card = load_card(write_card())
    assert "sha256 and golden left out" in unchecked(card)
    assert unchecked(dataclasses.replace(card, sha256="0" * 64)).endswith(
        "golden left out, so nobody checks whether it answers right."
    )


def test_a_card_cannot_be_changed(write_card):
    card: Card = load_card(write_card())
    with pytest.raises(dataclasses.FrozenInstanceError):
        card.temperature = 2.0


@pytest.mark.parametrize("place", ["card", "weights"])
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(write_card, tmp_path, place):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CardError, match="a pipe or a device"):
        load_card(tmp_path / "pipe") if place == "card" else card_hash(load_card(write_card(file="pipe", sha256=...)))
