from __future__ import annotations

import csv
import json

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras  # noqa: E402

from tests.train.conftest import trained  # noqa: E402
from train.__main__ import main  # noqa: E402
from train.compare import compare  # noqa: E402
from train.data import DataError  # noqa: E402
from train.feed import Feed, order  # noqa: E402
from train.files import WriteError  # noqa: E402
from train.fit import new_net  # noqa: E402
from train.optimize import factor  # noqa: E402
from train.recipe import RECIPES  # noqa: E402
from train.state import Progress  # noqa: E402
from train.targets import targets_of  # noqa: E402

pytestmark = pytest.mark.timeout(400)  # tracing a net takes seconds, and many times that on a busy machine
TINY = {"side": 24, "width": 0.25, "architecture": "residual", "batch": 16, "epochs": 2}


def recipe(task, data, **changes):
    # Of the age's sources only the one that is there.
    sources = {"sources": {"utkface": 1.0}} if task != "emotion" else {}
    return RECIPES[task].with_changes({**TINY, **sources, "data": str(data), **changes})


@pytest.fixture(scope="module")
def age_run(data, tmp_path_factory):
    """A run of two epochs that nothing disturbed."""
    return trained(recipe("age", data), tmp_path_factory.mktemp("age") / "run")


def weights(run):
    return keras.saving.load_model(run / "best.keras", compile=False).get_weights()


def test_a_run_leaves_everything_that_explains_it(as_people_train, data, tmp_path):
    lines = []
    run = trained(recipe("emotion", data), tmp_path / "run", say=lines.append)
    names = {path.name for path in run.iterdir()}
    pictures = {f"{what}-emotion-fer2013.png" for what in ("confusion", "calibration", "mistakes")} | {"curves.png"}
    assert names == {"recipe.json", "log.csv", "log.md", "best.keras", "last-2.npz", "state.json"} | pictures
    with open(run / "log.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    assert "| learning_rate | `0.002` |" in (run / "log.md").read_text()
    assert lines[0].startswith("emotion: 56 pictures to train on, 14 to validate, ")
    assert lines[-1].startswith("emotion: best after epoch ")


def test_a_run_broken_off_and_resumed_ends_like_one_that_was_not(age_run, data, tmp_path, monkeypatch):
    keep = Progress.keep

    def keep_and_die(self, row):
        keep(self, row)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Progress, "keep", keep_and_die)
        trained(recipe("age", data), tmp_path / "broken")
    trained(recipe("age", data), tmp_path / "broken", resume=True)
    whole, broken = Progress.read(age_run).history, Progress.read(tmp_path / "broken").history
    assert [row["epoch"] for row in broken] == [1, 2]
    assert [row["loss"] for row in broken] == pytest.approx([row["loss"] for row in whole], rel=1e-4)
    for mine, other in zip(weights(age_run), weights(tmp_path / "broken"), strict=True):
        assert np.allclose(mine, other, atol=1e-4)


def test_the_batches_are_the_same_whoever_makes_them(data):
    taken = []
    for workers in (0, 2):
        feed = Feed(recipe("age", data, mixup=0.5), workers)
        feed.set_targets([targets_of(feed.recipe.what.heads, faces, 0.0) for faces in feed.sets])
        batches = feed.batches(epoch=1)
        taken.append([next(batches) for _ in range(4)])
        feed.close()
    for (mine, my_targets), (other, other_targets) in zip(*taken, strict=True):
        assert np.array_equal(mine, other) and np.array_equal(my_targets, other_targets)


def test_an_epoch_goes_through_each_data_set_as_often_as_the_recipe_says():
    rows = order([range(10), range(4)], [0.5, 2.5], [0])
    assert (rows[:, 0] == 0).sum() == 5 and len(set(rows[rows[:, 0] == 0, 1])) == 5
    assert sorted(np.bincount(rows[rows[:, 0] == 1, 1]).tolist()) == [2, 2, 3, 3]


def test_a_run_can_start_from_the_weights_of_another_one(age_run, data):
    start = recipe("gender", data, start=str(age_run))
    mine, theirs = new_net(start), keras.saving.load_model(age_run / "best.keras", compile=False)
    for layer, other in zip(mine.layers, theirs.layers, strict=True):
        same = all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), other.get_weights(), strict=True))
        assert same or layer.name == "gender"
    with pytest.raises(DataError, match=r"does not fit this net .*; train without --from"):
        new_net(start.with_changes({"width": 0.5}))


def test_a_net_learns_from_a_larger_one_also_about_faces_without_labels(age_run, data, tmp_path):
    taught = recipe("age", data, teachers=(str(age_run),), unlabelled={"fer2013": 0.5}, width=0.2, epochs=1)
    lines = []
    run = trained(taught, tmp_path / "run", say=lines.append)
    assert lines[0].startswith("age: 92 pictures to train on, 12 to validate, ")
    assert (
        sum(w.size for w in weights(run)) < sum(w.size for w in weights(age_run)) * 1.5
    )  # the net without its teacher


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"architecture": "mobile", "optimizer": "nadam", "schedule": "plateau"}, id="mobile", marks=pytest.mark.long
        ),
        pytest.param({"architecture": "mobilenet", "schedule": "constant"}, id="mobilenet", marks=pytest.mark.long),
        pytest.param(
            {"architecture": "mini_xception", "optimizer": "sgd", "schedule": "steps", "average": 0.0, "patience": 1},
            id="mini_xception",
        ),
        pytest.param(
            {"architecture": "wide_resnet", "width": 0.0625, "schedule": "linear", "class_weights": True, "mixup": 1.0},
            id="wide_resnet",
            marks=pytest.mark.long,
        ),
    ],
)
def test_every_architecture_optimizer_and_schedule_trains(changes, data, tmp_path):
    run = trained(recipe("emotion", data, epochs=1, **changes), tmp_path / "run")
    assert np.isfinite(Progress.read(run).history[0]["loss"])


@pytest.mark.long
def test_vgg16_is_frozen_first_and_then_trained(data, tmp_path, monkeypatch):
    monkeypatch.setattr("train.nets.VGG16_WEIGHTS", None)  # those of ImageNet would be downloaded
    frozen = recipe("emotion", data, architecture="vgg16", side=32, frozen=1, optimizer="sgd", average=0.0)
    before = new_net(frozen)
    kernels = []
    keep = Progress.keep

    def look(self, row):
        with np.load(self.run / f"last-{self.epoch + 1}.npz") as arrays:
            kernels.append(arrays["net0"].copy())
        keep(self, row)

    monkeypatch.setattr(Progress, "keep", look)
    trained(frozen, tmp_path / "run")
    assert np.array_equal(kernels[0], before.get_weights()[0])
    assert not np.array_equal(kernels[1], kernels[0])


def test_fixed_convolutions_stay_as_they_start_and_the_others_learn(data, tmp_path):
    few = recipe("gender", data, epochs=1, fixed=2, average=0.0)
    before = new_net(few).get_weights()
    after = weights(trained(few, tmp_path / "run"))
    kept = [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert all(kept[:10])  # two kernels, each with the four arrays of its normalisation
    assert not any(kept[10:])


def test_a_full_disk_ends_a_run_that_can_be_resumed(data, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(WriteError, match=r"last-1.npz: could not be written \(No space left on device\)"):
            trained(recipe("emotion", data, epochs=1), tmp_path / "run")
    assert Progress.read(trained(recipe("emotion", data), tmp_path / "run", resume=True)).epoch == 1


def test_a_gender_net_is_not_trained_while_one_of_its_data_sets_is_missing(data, tmp_path):
    with pytest.raises(DataError, match=r"fairface.npz: no such file"):
        trained(RECIPES["gender"].with_changes({**TINY, "data": str(data)}), tmp_path / "run")


def test_a_run_is_never_overwritten(age_run, data):
    with pytest.raises(DataError, match=r"holds a run already; add --resume"):
        trained(recipe("age", data), age_run)


def test_the_time_limit_ends_a_run_before_its_epochs_do(data, tmp_path):
    run = trained(recipe("age", data, epochs=1000, seconds=1), tmp_path / "run")
    assert Progress.read(run).epoch < 1000


def test_the_learning_rate_rises_then_falls_to_almost_nothing():
    factors = [factor("cosine", share, warm_up=0.1) for share in (0, 0.05, 0.1, 0.55, 1.0)]
    assert factors == pytest.approx([0.02, 0.5, 1, 0.5, 0.001])
    assert [factor("steps", share, 0) for share in (0.4, 0.6, 0.9)] == pytest.approx([1, 0.1, 0.01])


def test_runs_stand_side_by_side_with_what_is_different(age_run, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "recipe.json").write_text((age_run / "recipe.json").read_text().replace('"adamw"', '"nadam"'))
    (other / "state.json").write_text((age_run / "state.json").read_text())
    table = "\n".join(compare([age_run, other], tmp_path / "chart.png"))
    assert "| optimizer | adamw | nadam |" in table
    assert "| error, age on utkface | " in table
    assert "weight_decay" not in table
    assert (tmp_path / "chart.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["age", "--data", "nowhere"], "nowhere/utkface.npz: no such file; write it with: python -m train.prepare"),
        (["age", "--resume"], "runs/age/state.json: is not the state of a run to resume"),
        (["age", "--epochs", "0"], "epochs is 0; write a number from 1 to 100000."),
        (["age", "--recipe", "batch=many"], "batch is 'many'; write a whole number."),
        (["age", "--recipe", "bach=3"], "'bach' is not a setting; write one of task, epochs,"),
        (["age", "--recipe", "sources={utkface: -1}"], "sources is {'utkface': -1}; write names with numbers"),
        (["age", "--recipe", "sources={utkface"], "sources={utkface cannot be read; write a number"),
        (["attribute"], "attribute needs the name of its cache"),
        (
            ["attribute", "glasses", "--data", "nowhere"],
            "nowhere/glasses.npz: no such file; write it with: python -m train.prepare folders glasses",
        ),
    ],
)
def test_a_wrong_start_is_said_in_one_sentence(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--workers", "0"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(sentence)
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"architecture": "alexnet"}, r"'alexnet' is not an architecture; write one of mobile, residual"),
        ({"optimizer": "adam"}, r"'adam' is not an optimizer; write one of adamw, nadam, sgd"),
        ({"schedule": "zigzag"}, r"'zigzag' is not a schedule; write one of cosine, linear"),
        ({"frozen": 1}, r"frozen is for nets with a pretrained part alone"),
        ({"fixed": 99}, r"fixed is 99, the net has 10 convolutions; write a smaller number"),
        ({"head_weights": {"smile": 1.0}}, r"there is no head smile; write emotion, votes"),
    ],
)
def test_what_no_table_has_is_refused_with_what_it_has(changes, sentence, data, tmp_path):
    with pytest.raises(DataError, match=sentence):
        trained(recipe("emotion", data, **changes), tmp_path / "run")


def test_a_recipe_of_another_version_is_refused(age_run, tmp_path):
    settings = json.loads((age_run / "recipe.json").read_text())
    (tmp_path / "recipe.json").write_text(json.dumps({**settings, "widths": [1, 2]}))
    with pytest.raises(DataError, match=r"is not a recipe of this version"):
        list(compare([tmp_path], None))
