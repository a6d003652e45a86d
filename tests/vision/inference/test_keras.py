from __future__ import annotations

import builtins
import gc
import hashlib
import importlib.util
import json
import zipfile

import numpy as np
import pytest

from stages.vision.inference import load_model
from stages.vision.inference.answers import answer
from stages.vision.inference.card import load_card
from stages.vision.inference.fields import CardError
from stages.vision.inference.golden import picture
from tests.vision.inference.test_litert import assert_independent_of_batches

FER2013 = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
GREY_64 = {"width": 64, "height": 64, "channels": 1, "range": [-1, 1]}


@pytest.mark.parametrize("kind", ["keras", "h5", "saved_model"])
def test_every_kind_of_keras_file_answers_as_the_tflite_file_does(write_card, nets, kind):
    model = load_model(load_card(write_card(file=str(getattr(nets, kind)))))
    lite = load_model(load_card(write_card(file=str(nets.tflite))))
    gc.collect()  # What TensorFlow holds by weak references only is gone now, as it would be after a while.
    crops = np.random.default_rng(5).integers(0, 256, (4, 24, 24, 1), dtype=np.uint8)
    assert model.answers(crops) == pytest.approx(lite.answers(crops), abs=1e-4)


@pytest.mark.parametrize("kind", ["tflite", "keras", "saved_model"])
def test_one_of_several_outputs_is_chosen_by_its_name(write_card, nets, kind):
    file = str(nets.two[kind])
    with pytest.raises(CardError, match="has 2 outputs; write output_name: one of ") as raised:
        load_model(load_card(write_card(file=file)))
    names = str(raised.value).partition("one of ")[2].rstrip(".").split(", ")
    crop = picture(load_card(write_card()).geometry)[None]
    first = load_model(load_card(write_card(file=str(nets.tflite)))).answers(crop)[0]
    opposite = 1 / first / (1 / first).sum()
    found = [load_model(load_card(write_card(file=file, output_name=name))).answers(crop)[0] for name in names]
    assert sorted(map(tuple, found)) == [
        pytest.approx(row, abs=1e-4) for row in sorted([tuple(first), tuple(opposite)])
    ]
    with pytest.raises(CardError, match=r"output_name is 'q', but .* has the outputs .*; write one of them\."):
        load_model(load_card(write_card(file=file, output_name="q")))


def test_an_answer_of_keras_is_the_same_to_the_last_bit_in_every_batch(write_card, nets):
    assert_independent_of_batches(load_model(load_card(write_card(file=str(nets.keras)))))


def test_a_published_emotion_net_knows_a_smile(write_card, peers, astronaut):
    pytest.importorskip("tensorflow")
    from stages.vision.crop import crop_face

    path = peers / "fer2013_mini_XCEPTION.102-0.66.hdf5"
    card = load_card(write_card(file=str(path), input=GREY_64, outputs=..., labels=FER2013))
    crop = crop_face(astronaut, (169, 74, 110, 110), card.geometry)
    said = answer(card, load_model(card).answers(crop[None])[0])
    assert said.label == "happy" and said.confidence > 0.8


def test_a_file_of_keras_2_that_keras_3_refuses_says_so_and_what_to_do(write_card, peers):
    pytest.importorskip("tensorflow")
    path = peers / "fer2013_mini_XCEPTION.68-0.66.keras2.hdf5"
    with pytest.raises(CardError) as raised:
        load_model(load_card(write_card(file=str(path), input=GREY_64, outputs=..., labels=FER2013)))
    sentence = str(raised.value)
    assert "was saved by Keras 2.9.0, and Keras 3" in sentence and "tf_keras" in sentence
    assert "\n" not in sentence and len(sentence) < 700


def test_without_tensorflow_a_keras_file_asks_for_it_by_name(write_card, tmp_path, monkeypatch):
    (tmp_path / "emotion.h5").write_bytes(b"x")
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorflow" else found(name))
    with pytest.raises(CardError, match=r"emotion\.h5 is a Keras model, which needs TensorFlow; install it with make"):
        load_model(load_card(write_card(file="emotion.h5")))


@pytest.mark.parametrize("file", ["emotion.keras", "emotion.h5"])
def test_a_file_that_is_no_keras_model_is_one_sentence_before_tensorflow_is_asked(
    write_card, tmp_path, monkeypatch, file
):
    pytest.importorskip("h5py")
    pytest.importorskip("tensorflow")
    (tmp_path / file).write_bytes(b"This is a text.\n" * 99)
    refuse_imports_of(monkeypatch, "tensorflow")
    with pytest.raises(CardError, match=rf"{file} is not a Keras model or is damaged \(.*\); put the right file there"):
        load_model(load_card(write_card(file=file)))


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_a_lambda_layer_is_refused_before_anything_is_loaded(write_card, tmp_path, nets, monkeypatch, kind):
    path = tmp_path / f"emotion.{kind}"
    with_lambda_layer(getattr(nets, kind), path)
    refuse_imports_of(monkeypatch, "tensorflow")
    with pytest.raises(CardError, match="has a Lambda layer, program code that would run here"):
        load_model(load_card(write_card(file=path.name)))


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_a_lambda_layer_runs_where_the_card_asks_for_it_and_names_the_very_file(write_card, tmp_path, nets, kind):
    import keras

    layers = [keras.Input((24, 24, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    path = tmp_path / f"own.{kind}"
    keras.Sequential([*layers, keras.layers.Lambda(lambda logits: logits * 0 + 5, output_shape=(3,))]).save(path)
    with pytest.raises(CardError, match="if the file is your own, write runs_code: true"):
        load_model(load_card(write_card(file=path.name)))
    with pytest.raises(CardError, match="runs_code is true, but the file may be any; write its sha256 too"):
        load_card(write_card(file=path.name, runs_code=True))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    model = load_model(load_card(write_card(file=path.name, runs_code=True, sha256=digest)))
    assert model.answers(np.zeros((1, 24, 24, 1), np.uint8))[0] == pytest.approx([1 / 3] * 3)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(CardError, match="sha256"):
        load_model(load_card(write_card(file=path.name, runs_code=True, sha256=digest)))


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_a_truncated_keras_file_is_one_sentence(write_card, tmp_path, nets, kind):
    whole = getattr(nets, kind).read_bytes()
    path = tmp_path / f"emotion.{kind}"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(CardError, match="is not a Keras model or is damaged") as raised:
        load_model(load_card(write_card(file=path.name)))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_a_file_that_would_unpack_to_much_more_than_it_is_is_refused_before_it_is_unpacked(write_card, tmp_path, kind):
    h5py = pytest.importorskip("h5py")
    pytest.importorskip("tensorflow")
    path = tmp_path / f"bomb.{kind}"
    if kind == "h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("weights", (10_000, 10_000), "f4", compression="gzip")[:100] = 0
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("config.json", "w") as member:
            for _ in range(100):
                member.write(b" " * 1_000_000)
    with pytest.raises(CardError, match="would unpack to"):
        load_model(load_card(write_card(file=path.name)))


def test_weights_without_their_net_are_one_sentence(write_card, tmp_path):
    h5py = pytest.importorskip("h5py")
    pytest.importorskip("tensorflow")
    h5py.File(tmp_path / "emotion.h5", "w").close()
    with pytest.raises(CardError, match="holds weights without their net; save the whole model"):
        load_model(load_card(write_card(file="emotion.h5")))


def test_a_folder_that_is_no_saved_model_is_one_sentence(write_card, tmp_path):
    pytest.importorskip("tensorflow")
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "saved_model.pb").write_bytes(b"This is a text.")
    with pytest.raises(CardError, match="net is not a SavedModel or is damaged"):
        load_model(load_card(write_card(file="net")))


@pytest.mark.parametrize("kind", ["keras", "saved_model"])
def test_a_card_that_does_not_fit_is_one_sentence(write_card, nets, kind):
    file = str(getattr(nets, kind))
    with pytest.raises(CardError, match=r"takes any x 24 x 24 x 1 .*write what it takes"):
        load_model(load_card(write_card(file=file, input=GREY_64)))
    with pytest.raises(CardError, match="labels are 2, but grey.* gives 3 numbers a face"):
        load_model(load_card(write_card(file=file, labels=["a", "b"])))


def with_lambda_layer(source, target):
    """Copy a Keras file with its last layer called a Lambda in the description that Keras goes by."""
    if source.suffix == ".keras":
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                new.writestr(name, lambda_for_dense(content) if name == "config.json" else content)
        return
    import h5py

    target.write_bytes(source.read_bytes())
    with h5py.File(target, "r+") as file:
        file.attrs["model_config"] = lambda_for_dense(file.attrs["model_config"])


def lambda_for_dense(config) -> str:
    config = json.loads(config)
    config["config"]["layers"][-1]["class_name"] = "Lambda"
    return json.dumps(config)


def refuse_imports_of(monkeypatch, refused: str) -> None:
    imported = builtins.__import__

    def guarded(name, *arguments, **named):
        assert name.split(".")[0] != refused, f"{refused} was imported"
        return imported(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", guarded)
