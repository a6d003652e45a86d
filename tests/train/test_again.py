"""A model with a card becomes a run again."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

pytest.importorskip("tensorflow")

import keras  # noqa: E402
from ai_edge_litert.interpreter import Interpreter  # noqa: E402

from stages.vision.inference import load_model  # noqa: E402
from stages.vision.inference.card import load_card  # noqa: E402
from stages.vision.inference.model import preprocess  # noqa: E402
from tests.train.conftest import trained, write_utkface  # noqa: E402
from train import export as exporting  # noqa: E402
from train.again import main  # noqa: E402
from train.augment import plain  # noqa: E402
from train.data import TASKS, load  # noqa: E402
from train.export import Wanted, export  # noqa: E402
from train.prepare import prepare  # noqa: E402
from train.provenance import learned_from  # noqa: E402
from train.pruned import PruneError, with_features  # noqa: E402
from train.recipe import RECIPES, read_recipe  # noqa: E402
from train.targets import probabilities  # noqa: E402

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]
SMALL = {"architecture": "mobilenet", "side": 32, "width": 0.125, "sources": {"utkface": 1.0}}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a data set, a run of a gender net and its card in models/, stored as float16."""
    folder = tmp_path_factory.mktemp("place")
    write_utkface(folder / "sets")
    list(prepare(folder / "sets", [], folder / "data"))
    recipe = RECIPES["gender"].with_changes({**SMALL, "data": str(folder / "data"), "epochs": 1, "batch": 16})
    trained(recipe, folder / "runs/gender")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "PRECISIONS", ("float16",))
        export(folder / "runs/gender", Wanted("gender"), folder / "models", None, lambda _line: None)
    return folder


@pytest.fixture(scope="module")
def again(place):
    """The run that the card became."""
    run = place / "again"
    settings = ["--recipe", "width=0.125", "--recipe", "sources={utkface: 1}", "--data", str(place / "data")]
    assert main([str(place / "models/gender.yaml"), "--task", "gender", "--run", str(run), *settings]) == 0
    return run


@pytest.fixture(scope="module")
def int8(place, again):
    """The card of that run, stored as int8, with half of its features."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "PRECISIONS", ("int8",))
        export(again, Wanted("gender", "int8", features=64), place / "int8", None, lambda _line: None)
    return place / "int8/gender.yaml"


def crops_in(place):
    return plain(
        load(TASKS["gender"], "utkface", "test", place / "data"), RECIPES["gender"].with_changes(SMALL).geometry
    )


def test_a_run_made_of_a_card_answers_as_the_card_does(place, again):
    card = load_card(place / "models/gender.yaml")
    net = keras.saving.load_model(again / "best.keras", compile=False)
    logits = net.predict(crops_in(place).astype(np.float32), verbose=0)
    assert probabilities(logits, card.temperature) == pytest.approx(load_model(card).answers(crops_in(place)), abs=1e-3)


def test_an_export_of_it_says_of_its_training_what_the_card_said(place, again, int8):
    before = yaml.safe_load((place / "models/gender.yaml").read_text())["trained"]
    trained_as = yaml.safe_load(int8.read_text())["trained"]
    assert trained_as.pop("weights") == (
        "stored as int8, computed with as int8; 64 of its features, those that its head hears most"
    )
    before.pop("weights")
    assert trained_as == before


def test_what_starts_from_it_names_both_commands(place, again, tmp_path):
    recipe = read_recipe(again).with_changes({"start": str(again), "epochs": 1, "batch": 16, "fixed": 25})
    said = learned_from(trained(recipe, tmp_path / "more"), recipe)
    first, second = said["command"].split(" && ")
    assert first.startswith("python -m train gender --recipe") and first.endswith("--out runs/again")
    assert f"--recipe start='\"runs/{again.name}\"'" in second
    assert said["run"].count("best on the validation part after epoch 1; it starts from: 1 epochs in") == 1


def test_int8_is_given_pixels_less_128_and_computes_with_whole_numbers_alone(place, int8):
    card = load_card(int8)
    assert card.input.dtype == "int8"
    net = Interpreter(model_path=str(card.file), num_threads=1)
    [given] = net.get_input_details()
    assert given["quantization"] == (1.0, -128)  # a step is a pixel's
    kinds = {tensor["dtype"] for tensor in net.get_tensor_details() if tensor["shape"].size == 4}
    assert kinds == {np.int8}


def test_half_of_the_features_answer_about_as_all_do(place, int8):
    all_of_them = load_model(load_card(place / "models/gender.yaml")).answers(crops_in(place))
    assert load_model(load_card(int8)).answers(crops_in(place)) == pytest.approx(all_of_them, abs=0.1)


def test_rounding_leans_to_no_answer_on_average(place, again, int8):
    recipe = read_recipe(again)
    crops = exporting.calibrating(recipe)
    logits = keras.saving.load_model(again / "best.keras", compile=False).predict(crops.astype(np.float32), verbose=0)
    model = load_model(load_card(int8))
    rounded = np.stack([model.outputs(given[None]) for given in preprocess(model.card, crops)])
    assert rounded.mean(axis=0) == pytest.approx(logits.mean(axis=0), abs=0.02)


def test_an_int8_model_becomes_a_run_too_whatever_was_left_out_of_it(place, int8):
    run = place / "third"
    settings = ["--recipe", "width=0.125", "--recipe", "sources={utkface: 1}", "--data", str(place / "data")]
    assert main([str(int8), "--task", "gender", "--run", str(run), *settings]) == 0
    card = load_card(int8)
    net = keras.saving.load_model(run / "best.keras", compile=False)
    logits = net.predict(crops_in(place).astype(np.float32), verbose=0)
    assert probabilities(logits, card.temperature) == pytest.approx(load_model(card).answers(crops_in(place)), abs=0.05)


def test_what_cannot_become_such_a_run_is_said(place, int8, capsys):
    settings = ["--run", str(place / "none"), "--recipe", "sources={utkface: 1}", "--data", str(place / "data")]
    assert main([str(int8), "--task", "age", *settings, "--recipe", "width=0.125"]) == 2
    assert "answers with 2 numbers, age has 101" in capsys.readouterr().err
    assert main([str(int8), "--task", "gender", *settings]) == 2
    assert "leave width at 1" in capsys.readouterr().err
    assert not (place / "none").exists()


def test_features_that_a_net_does_not_have_or_cannot_miss_are_refused(place):
    net = keras.saving.load_model(place / "runs/gender/best.keras", compile=False)
    crops = np.zeros((2, 32, 32, 3), np.uint8)
    with pytest.raises(PruneError, match=r"--features is 200; write a number from 1 to 128\."):
        with_features(net, ["gender"], 200, crops)
    crop = keras.Input((4, 4, 3))
    plainly = keras.layers.GlobalAveragePooling2D(name="features")(keras.layers.ReLU()(crop))
    other = keras.Model(crop, keras.layers.Dense(2, name="gender")(plainly))
    with pytest.raises(PruneError, match=r"leave out --features"):
        with_features(other, ["gender"], 2, crops[:, :4, :4])
