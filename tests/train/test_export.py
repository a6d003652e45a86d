"""From a made-up data set to weights and a card that the stages take."""

from __future__ import annotations

import hashlib
import os
import shlex

import cv2
import numpy as np
import pytest

pytest.importorskip("tensorflow")

import h5py  # noqa: E402
import keras  # noqa: E402
import yaml  # noqa: E402

from stages.vision.crop import crop_face  # noqa: E402
from stages.vision.inference import load_model  # noqa: E402
from stages.vision.inference.card import load_card  # noqa: E402
from tests.train.conftest import trained, write_fer2013, write_folders, write_utkface, write_votes  # noqa: E402
from train import export as exporting  # noqa: E402
from train.augment import plain  # noqa: E402
from train.data import TASKS, DataError, load  # noqa: E402
from train.evaluate import main as evaluate  # noqa: E402
from train.export import ExportError, Wanted, export, groups_in  # noqa: E402
from train.export import main as export_main  # noqa: E402
from train.prepare import main as prepare_main  # noqa: E402
from train.prepare import prepare  # noqa: E402
from train.provenance import weakest  # noqa: E402
from train.recipe import ATTRIBUTE, RECIPES, Recipe, words_for  # noqa: E402
from train.rounded import heads_clipped  # noqa: E402
from train.targets import probabilities  # noqa: E402

pytestmark = pytest.mark.timeout(400)  # tracing a net takes seconds, and many times that on a busy machine
TINY = {"side": 24, "width": 0.25, "architecture": "residual", "batch": 16, "epochs": 1, "average": 0.0}
EMOTIONS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


def quiet(_line: str) -> None:
    pass


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with caches in data/, runs/emotion, runs/age, runs/glasses and their exports in models/."""
    folder = tmp_path_factory.mktemp("place")
    write_fer2013(folder / "sets")
    write_votes(folder / "sets", [[8, 0, 0, 1, 1, 0, 0], [0, 9, 1, 0, 0, 0, 0], [0, 0, 8, 0, 2, 0, 0]] * 28)
    write_utkface(folder / "sets")
    write_folders(folder / "glasses")
    list(prepare(folder / "sets", [], folder / "data"))
    assert prepare_main(["folders", str(folder / "glasses"), "--out", str(folder / "data")]) == 0
    recipes = {
        "emotion": RECIPES["emotion"],
        "age": RECIPES["age"].with_changes({"sources": {"utkface": 1.0}}),
        "glasses": ATTRIBUTE.with_changes({"task": "glasses", "labels": ("off", "on"), "learning_rate": 5e-3}),
    }
    for name, recipe in recipes.items():
        epochs = {"epochs": 12, "strength": 0.0} if name == "glasses" else {}
        trained(recipe.with_changes({**TINY, **epochs, "data": str(folder / "data")}), folder / "runs" / name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(exporting, "PRECISIONS", ("float16",))  # a conversion takes seconds
            export(folder / "runs" / name, Wanted(name), folder / "models", None, quiet)
    return folder


def card_of(place, name):
    return yaml.safe_load((place / f"models/{name}.yaml").read_text(encoding="utf-8"))


def printed(arguments, place, capsys):
    assert evaluate([*map(str, arguments), "--data", str(place / "data")]) == 0
    return capsys.readouterr().out.splitlines()


def test_an_export_is_weights_and_a_card_and_nothing_else(place):
    names = sorted(path.name for path in (place / "models").iterdir())
    assert names == [f"{name}.{kind}" for name in ("age", "emotion", "glasses") for kind in ("tflite", "yaml")]


def test_the_card_says_what_the_stages_need_to_know(place):
    card = card_of(place, "emotion")
    weights = (place / "models/emotion.tflite").read_bytes()
    assert card["sha256"] == hashlib.sha256(weights).hexdigest()
    assert card["labels"] == EMOTIONS
    assert card["input"] == {"width": 24, "height": 24, "channels": 1, "dtype": "float32", "range": [0, 255]}
    assert card_of(place, "age")["input"]["order"] == "bgr"
    assert card["crop"] == {"scale": 1.0}
    assert 0.5 <= card["temperature"] <= 4
    command = card["trained"]["command"]
    assert command.startswith("python -m train emotion --recipe epochs=1 --recipe batch=16 --recipe architecture=")
    assert set(card["figures"]["stored as, validation part"]) == {"float16"}


def test_a_card_names_the_groups_that_its_model_is_worst_on():
    groups = {"race a": 0.9, "race b": 0.817, "ages 0-2": 0.7, "ages 3-9": 0.8, "source x": 0.1}
    right = {"accuracy": 0.9, "pictures": 9, "groups": groups}
    off = {"mean absolute error (years)": 5.0, "groups": {"ages 0-9": 1.7, "ages 60+": 9.3}}
    assert weakest({"one": right, "two": off, "three": {"accuracy": 1.0}}) == (
        "Weakest groups of one: race b (81.7 %), ages 0-2 (70.0 %). Weakest groups of two: ages 60+ (9.3 years off)."
    )


def test_the_margin_around_the_face_goes_from_the_recipe_into_the_card():
    recipe = RECIPES["gender"].with_changes({"crop_scale": 0.9, "side": 104})
    said = exporting.contract(recipe, recipe.what.heads[0], "float16")
    assert said["crop"] == {"scale": 0.9}
    assert (said["input"]["width"], said["input"]["height"]) == (104, 104)


def test_the_command_of_a_card_gives_the_recipe_again(place):
    from train.__main__ import parsed, recipe_of

    changed = Recipe("emotion", 3, sources={"fer2013": 2.0}, mixup=0.5, architecture="wide_resnet", side=48)
    words = shlex.split(" ".join(words_for(changed, RECIPES["emotion"])))
    assert recipe_of(parsed(["emotion", *words])) == changed


def test_the_stages_take_the_exports_and_check_them_against_the_golden_answer(place):
    for name, columns in (("emotion", 7), ("age", 3), ("glasses", 2)):
        model = load_model(load_card(place / f"models/{name}.yaml"))
        assert len(model.card.golden.scores) == columns
        assert model.answers(np.zeros((2, 24, 24, model.card.geometry.channels), np.uint8)).shape == (2, columns)


def test_the_answers_are_those_of_the_trained_net_for_the_pixels_as_they_are(place):
    recipe = RECIPES["emotion"].with_changes(TINY)
    crops = plain(load(TASKS["emotion"], "fer2013", "test", place / "data"), recipe.geometry)
    net = keras.saving.load_model(place / "runs/emotion/best.keras", compile=False)
    logits = net.predict(crops, verbose=0)[:, :7]
    model = load_model(load_card(place / "models/emotion.yaml"))
    expected = probabilities(logits, card_of(place, "emotion")["temperature"])
    assert np.abs(model.answers(crops) - expected).max() < 0.005


def test_an_emotion_can_be_answered_as_the_votes_say(place, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "PRECISIONS", ("float16",))
    export(place / "runs/emotion", Wanted("votes", votes=1.0), tmp_path, place / "data", quiet)
    crops = plain(
        load(TASKS["emotion"], "fer2013", "test", place / "data"), RECIPES["emotion"].with_changes(TINY).geometry
    )
    net = keras.saving.load_model(place / "runs/emotion/best.keras", compile=False)
    card = load_card(tmp_path / "votes.yaml")
    expected = probabilities(net.predict(crops, verbose=0)[:, 7:], card.temperature)
    assert np.abs(load_model(card).answers(crops) - expected).max() < 0.005
    with pytest.raises(ExportError, match=r"--votes is for emotion alone"):
        export(place / "runs/age", Wanted("age", votes=0.5), tmp_path, place / "data", quiet)


def test_what_has_no_majority_decides_neither_temperature_nor_figures(tmp_path):
    """PublicTest's 14 pictures: ten that people agree about, a tie, one without votes and two called no face."""
    write_fer2013(tmp_path / "sets")
    agreed, disputed = [[0, 9, 0, 0, 0, 0, 0]], [[5, 5, 0, 0, 0, 0, 0], [0] * 7, *[[4, 0, 0, 0, 0, 0, 0, 0, 0, 6]] * 2]
    write_votes(tmp_path / "sets", agreed * 66 + disputed + agreed * 14)
    list(prepare(tmp_path / "sets", ["fer2013"], tmp_path / "data"))
    recipe = RECIPES["emotion"].with_changes({"data": str(tmp_path / "data")})
    (head, votes) = recipe.what.heads
    crops, truth = exporting.validation_of(recipe, Wanted("votes", votes=1.0), votes)
    assert len(crops) == 10 and truth.tolist() == [3] * 10
    crops, truth = exporting.validation_of(recipe, Wanted("emotion"), head)
    assert len(crops) == 14 and set(truth.tolist()) == set(range(7))


@pytest.mark.long
def test_ages_can_be_named_in_groups_of_ones_own(place, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "PRECISIONS", ("float16",))
    groups = groups_in("child=0,young=13,middle=36,old=61")
    export(place / "runs/age", Wanted("life", groups=groups), tmp_path, place / "data", quiet)
    card = load_card(tmp_path / "life.yaml")
    assert card.task == "classes" and card.labels == ("child", "young", "middle", "old")
    assert Wanted("life", groups=groups).group_of_bin(np.array([0, 12, 13, 60, 61])).tolist() == [0, 0, 1, 2, 3]
    assert load_model(card).answers(np.zeros((1, 24, 24, 3), np.uint8)).sum() == pytest.approx(1, abs=1e-5)
    for text in ("child", "old=61,child=0", "child=0,old=x"):
        with pytest.raises(ExportError, match=r"--groups is '"):
            groups_in(text)


@pytest.mark.long
def test_int8_is_exported_and_named_in_the_card(place, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "PRECISIONS", ("int8",))
    export(place / "runs/glasses", Wanted("glasses", "int8"), tmp_path, place / "data", quiet)
    small, usual = (folder / "glasses.tflite" for folder in (tmp_path, place / "models"))
    assert small.stat().st_size < usual.stat().st_size
    assert yaml.safe_load((tmp_path / "glasses.yaml").read_text())["trained"]["weights"].startswith("stored as int8")


def test_for_int8_no_feature_that_never_speaks_sets_the_step_of_the_weights():
    crop = keras.Input((4, 4, 3))
    features = keras.layers.GlobalAveragePooling2D(name="features")(crop)
    net = keras.Model(crop, keras.layers.Dense(2, name="gender")(features))
    kernel = np.array([[0.3, -0.2], [0.1, 0.4], [70_000, -60_000]], np.float32)
    net.get_layer("gender").set_weights([kernel, np.zeros(2)])
    crops = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3), np.uint8)
    crops[..., 2] = 1  # so much less than the others that it is rounded to about nothing
    with heads_clipped(net, ["gender"], crops):
        clipped = net.get_layer("gender").get_weights()[0]
    assert clipped == pytest.approx(np.array([[0.3, -0.2], [0.1, 0.4], [0.4, -0.4]]))
    assert np.array_equal(net.get_layer("gender").get_weights()[0], kernel)


def test_the_figures_of_the_card_are_what_its_command_prints(place, capsys):
    row = card_of(place, "emotion")["figures"]["fer2013, test part"]
    assert row["command"] == "python -m train.evaluate models/emotion.yaml fer2013 --corrupted"
    lines = printed([place / "models/emotion.yaml", "fer2013", "--corrupted"], place, capsys)
    assert lines[0].startswith("emotion on fer2013 PrivateTest: 14 pictures")
    assert f"  accuracy: {row['accuracy']:.1%}" in lines
    assert f"  turned by 15 degrees: accuracy {row['made worse']['turned by 15 degrees']:.1%}" in lines
    assert any(line.startswith("emotion on fer2013 PrivateTest, FER+ majority: 14 pictures") for line in lines)


def test_evaluation_goes_by_the_names_of_the_labels_not_their_places(place, capsys):
    """A card whose labels are turned around along with nothing else must change every answer it gives."""
    card = card_of(place, "emotion")
    card["labels"].reverse()
    card["file"] = os.path.join(place / "models", card["file"])
    (place / "turned.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    faces = load(TASKS["emotion"], "fer2013", "test", place / "data")
    crops = plain(faces, RECIPES["emotion"].with_changes(TINY).geometry)
    called = load_model(load_card(place / "models/emotion.yaml")).answers(crops).argmax(1)
    lines = printed([place / "turned.yaml", "fer2013"], place, capsys)
    assert f"  accuracy: {(6 - called == faces.labels['emotion']).mean():.1%}" in lines


def test_the_keras_file_of_a_run_is_measured_by_a_card_written_by_hand(place, capsys):
    card = card_of(place, "glasses")
    by_hand = {name: card[name] for name in ("name", "task", "input", "outputs", "labels", "temperature")}
    by_hand["file"] = str(place / "runs/glasses/best.keras")
    (place / "by_hand.yaml").write_text(yaml.safe_dump(by_hand), encoding="utf-8")
    exported = printed([place / "models/glasses.yaml", "glasses"], place, capsys)
    trained_net = printed([place / "by_hand.yaml", "glasses"], place, capsys)
    assert trained_net[0].startswith("glasses on glasses test: ")
    assert trained_net[1] == exported[1] and trained_net[1].startswith("  accuracy: ")


def test_five_emotions_are_asked_about_their_five(place, capsys):
    card = card_of(place, "emotion")
    card |= {"keep": ["angry", "happy", "neutral", "sad", "surprise"], "file": str(place / "models" / card["file"])}
    del card["golden"]
    (place / "five.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    lines = printed([place / "five.yaml", "fer2013"], place, capsys)
    assert lines[0].startswith("emotion on fer2013 PrivateTest: 10 pictures")
    assert not any("disgust" in line for line in lines)


def test_age_is_measured_in_years_and_by_group(place, capsys):
    lines = printed([place / "models/age.yaml", "utkface"], place, capsys)
    assert lines[1].startswith("  mean absolute error (years): ")
    assert "  ages 10-19, 2 pictures: mean absolute error (years) " in "\n".join(lines)
    row = card_of(place, "age")["figures"]["utkface, test part"]
    assert {"race others", "gender man", "gender woman", "ages 10-19", "ages 60+"} <= set(row["groups"])


def test_an_attribute_of_ones_own_is_learned_and_evaluated_with_ten_crops(place, capsys):
    lines = printed([place / "models/glasses.yaml", "glasses", "--ten-crop"], place, capsys)
    assert lines[0].startswith("glasses on glasses test: ")
    accuracy = float(lines[1].removeprefix("  accuracy: ").rstrip("%"))
    assert accuracy > 80  # dark faces and light ones: chance would be 50


def test_faces_are_looked_for_by_a_real_detector_when_asked(place, capsys, astronaut, tmp_path):
    face = cv2.resize(astronaut[40:210, 140:310], (96, 96))  # about UTKFace's framing
    folder = tmp_path / "sets/UTKFace"
    folder.mkdir(parents=True)
    for name, picture in (("40_1_0_1.png", face), ("30_0_0_2.png", np.full_like(face, 90))):
        cv2.imwrite(str(folder / name), picture)
    (folder / "split.csv").write_text("file,part\n40_1_0_1.png,test\n30_0_0_2.png,test\n")
    list(prepare(tmp_path / "sets", [], tmp_path / "data"))
    arguments = [str(place / "models/age.yaml"), "utkface", "--detector", "haar", "--data", str(tmp_path / "data")]
    assert evaluate(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "haar found a face in 50.0% of 2 pictures; only these count"
    assert lines[1].startswith("age on utkface test: 1 pictures")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["models/none.yaml", "fer2013"], "models/none.yaml"),
        (["models/emotion.yaml", "utkface"], "data/utkface.npz: has no labels for emotion; use one of fer2013."),
        (["models/emotion.yaml", "web"], "data/web.npz: no such file"),
        (["models/glasses.yaml", "utkface"], "glasses: data/utkface.npz has none of its labels off, on."),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_one_sentence(arguments, sentence, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    assert evaluate(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(sentence)
    assert error.count("\n") == 1


@pytest.mark.long
def test_a_conversion_that_changes_the_answers_is_refused_and_leaves_the_old_export(place, monkeypatch):
    before = (place / "models/emotion.tflite").read_bytes()
    real = exporting.logits_of
    monkeypatch.setattr(exporting, "logits_of", lambda *arguments: real(*arguments) + np.arange(7))
    with pytest.raises(ExportError, match=r"differs from the Keras model by .*; nothing is written"):
        export(place / "runs/emotion", Wanted("emotion"), place / "models", None, quiet)
    assert (place / "models/emotion.tflite").read_bytes() == before
    assert len(list((place / "models").iterdir())) == 6


def test_a_run_without_weights_is_refused(place, tmp_path):
    recipe = (place / "runs/emotion/recipe.json").read_text()
    (tmp_path / "recipe.json").write_text(recipe)
    with pytest.raises(DataError, match=r"best.keras: cannot be loaded"):
        export(tmp_path, Wanted("emotion"), tmp_path / "models", None, quiet)
    with pytest.raises(DataError, match=r"recipe.json: cannot be read"):
        export(tmp_path / "nowhere", Wanted("emotion"), tmp_path / "models", None, quiet)


def test_a_file_of_keras_2_that_keras_3_refuses_is_converted(tmp_path, capsys):
    """As Keras 2.9 wrote separable convolutions: with the settings of their parent class."""
    net = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.SeparableConv2D(4, 3), keras.layers.Flatten()])
    net.save(tmp_path / "old.hdf5")
    with h5py.File(tmp_path / "old.hdf5", "r+") as file:
        config = file.attrs["model_config"]
        config = config if isinstance(config, str) else config.decode()
        settings = '"groups": 1, "kernel_initializer": null, "kernel_regularizer": null, "filters": 4'
        file.attrs["model_config"] = config.replace('"filters": 4', settings)
    with pytest.raises((ValueError, TypeError)):
        keras.saving.load_model(tmp_path / "old.hdf5")
    assert export_main([str(tmp_path / "old.hdf5"), "--keras", str(tmp_path / "new.keras")]) == 0
    assert "takes 8 x 8 x 1, 3 settings left out" in capsys.readouterr().out
    picture = np.random.default_rng(0).random((1, 8, 8, 1), np.float32)
    new = keras.saving.load_model(tmp_path / "new.keras")
    assert np.allclose(new(picture), net(picture))


def test_a_published_gender_net_of_keras_2_is_converted_and_answers_with_probabilities(tmp_path, peers, astronaut):
    old = peers / "gender_mini_XCEPTION.18-0.95.keras2.hdf5"
    assert export_main([str(old), "--keras", str(tmp_path / "gender.keras")]) == 0
    card = {
        "name": "gender",
        "file": "gender.keras",
        "task": "classes",
        "input": {"width": 64, "height": 64, "channels": 1, "range": [-1, 1]},
        "crop": {"scale": 1.8},
        "labels": ["woman", "man"],
    }
    (tmp_path / "gender.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    model = load_model(load_card(tmp_path / "gender.yaml"))
    crop = crop_face(astronaut, (180, 75, 95, 95), model.card.geometry)
    answers = model.answers(np.stack([crop, np.full_like(crop, 128)]))
    assert answers.shape == (2, 2) and answers.min() >= 0 and answers.sum(1) == pytest.approx([1, 1], abs=1e-5)
    assert abs(answers[0, 0] - answers[1, 0]) > 0.05  # a face is not nothing: the weights came along


def test_what_is_no_keras_file_is_not_converted(tmp_path, capsys):
    (tmp_path / "old.hdf5").write_bytes(b"nothing of the kind")
    assert export_main([str(tmp_path / "old.hdf5"), "--keras", str(tmp_path / "new.keras")]) == 2
    assert "old.hdf5: cannot be converted" in capsys.readouterr().err
    assert not (tmp_path / "new.keras").exists()
