"""What happens between epochs, asked of the callbacks themselves; only a stand-in for the net."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras  # noqa: E402

from train.callbacks import Note, Rate, tensorboard  # noqa: E402
from train.data import GENDER, DataError  # noqa: E402
from train.nets import learner  # noqa: E402
from train.optimize import after_plateaus  # noqa: E402
from train.recipe import RECIPES  # noqa: E402
from train.state import Progress  # noqa: E402
from train.targets import probabilities  # noqa: E402


class Variable(float):
    """A learning rate that remembers what it was set to."""

    def assign(self, value):
        self.set_to = value


def stand_in():
    optimizer = SimpleNamespace(learning_rate=Variable(0.1))
    return SimpleNamespace(optimizer=optimizer, stop_training=False, _flatten_layers=lambda: [])


def after(errors, run):
    return Progress(run, history=[{"epoch": i + 1, "seconds": 0, "error": error} for i, error in enumerate(errors)])


def noted(recipe, progress, errors):
    """After how many more epochs with these validation errors the run is told to end; None: it is not."""
    note = Note(recipe, progress, set(), say=lambda line: None)
    model = stand_in()
    note.set_model(model)
    for count, error in enumerate(errors, start=1):
        note.on_epoch_end(progress.epoch, {"loss": 1.0, "val_error": error})
        if model.stop_training:
            return count
    return None


def test_patience_ends_a_run_that_has_stopped_getting_better(tmp_path):
    patient = RECIPES["age"].with_changes({"patience": 2})
    assert noted(patient, Progress(tmp_path), [0.5, 0.4, 0.4, 0.45, 0.3]) == 4
    assert noted(patient, Progress(tmp_path), [0.5, 0.6, 0.4, 0.5, 0.3]) is None
    assert noted(RECIPES["age"], Progress(tmp_path), [0.5] * 9) is None


def test_a_resumed_run_has_no_more_patience_than_it_had_left(tmp_path):
    patient = RECIPES["age"].with_changes({"patience": 2})
    assert noted(patient, after([0.5, 0.6], tmp_path), [0.7, 0.8]) == 1
    assert not after([0.5, 0.6], tmp_path).is_over(patient)
    assert after([0.5, 0.6, 0.7], tmp_path).is_over(patient)


def rate_after(errors, recipe, run):
    rate, model = Rate(recipe, after(errors, run)), stand_in()
    rate.set_model(model)
    rate.on_epoch_begin(len(errors))
    return model.optimizer.learning_rate.set_to


def test_on_a_plateau_the_rate_falls_and_stays_down_also_in_a_resumed_run(tmp_path):
    recipe = RECIPES["age"].with_changes({"schedule": "plateau", "learning_rate": 0.01, "warm_up": 0.0})
    assert rate_after([], recipe, tmp_path) == pytest.approx(0.01)
    assert rate_after([0.5, 0.5], recipe, tmp_path) == pytest.approx(0.01)
    assert rate_after([0.5, 0.5, 0.6], recipe, tmp_path) == pytest.approx(0.003)
    assert rate_after([0.5, 0.5, 0.6, 0.4, 0.5, 0.5], recipe, tmp_path) == pytest.approx(0.0009)


def test_a_plateau_is_what_keras_takes_for_one():
    errors = np.random.default_rng(0).uniform(0.2, 0.6, 60).round(2).tolist()
    theirs = keras.callbacks.ReduceLROnPlateau("val_error", factor=0.3, patience=3, mode="min")
    net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    net.compile(keras.optimizers.SGD(1.0), "mse")
    theirs.set_model(net)
    theirs.on_train_begin()
    for epoch, error in enumerate(errors):
        theirs.on_epoch_end(epoch, {"val_error": error})
        assert after_plateaus(errors[: epoch + 1], 3) == pytest.approx(float(net.optimizer.learning_rate), rel=1e-4)
    assert after_plateaus(errors, 3) < 0.1


def test_without_tensorboard_its_log_is_refused_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", {"tensorflow": "there"}.get)
    with pytest.raises(DataError, match=r"needs tensorboard; pip install tensorboard, or leave out --tensorboard"):
        tensorboard(Progress(tmp_path))


def test_tensorboard_gets_a_log_in_the_run_folder(tmp_path):
    pytest.importorskip("tensorboard")
    log = tensorboard(Progress(tmp_path))
    net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    net.compile("sgd", "mse")
    log.set_model(net)
    log.on_train_begin()
    log.on_epoch_end(0, {"loss": 1.0})
    log.on_train_end()
    (events,) = (tmp_path / "tensorboard").rglob("events.out.tfevents.*")
    assert b"epoch_loss" in events.read_bytes()


def net_of(outputs):
    crop = keras.Input((4, 4, 3), name="crop")
    features = keras.layers.GlobalAveragePooling2D()(crop)
    heads = [keras.layers.Dense(count, name=name)(features) for name, count in outputs.items()]
    return keras.Model(crop, keras.layers.Concatenate()(heads) if len(heads) > 1 else heads[0])


def test_two_teachers_are_asked_for_the_mean_of_their_probabilities():
    net, one, other = net_of({"gender": 2}), net_of({"gender": 2}), net_of({"age": 5, "gender": 2})
    crops = np.random.default_rng(0).normal(0, 1, (3, 4, 4, 3)).astype(np.float32)
    answers = np.asarray(learner(net, (GENDER,), [one, other])(crops))
    said = [probabilities(np.asarray(one(crops))), probabilities(np.asarray(other(crops))[:, 5:])]
    assert answers.shape == (3, 4)
    assert answers[:, :2] == pytest.approx(np.asarray(net(crops)), abs=1e-5)
    assert answers[:, 2:] == pytest.approx(np.mean(said, axis=0), abs=1e-5)
    assert np.abs(said[0] - said[1]).max() > 0.01
