"""Teachers that are asked once: a probe on the features of a large net, and what it wrote down."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import yaml

pytest.importorskip("tensorflow")

import keras  # noqa: E402

from tests.train.conftest import trained, write_fairface  # noqa: E402
from train.answers import write_answers, written_answers  # noqa: E402
from train.data import AGE, GENDER, TASKS, TAUGHT, DataError, Faces, load  # noqa: E402
from train.prepare import prepare  # noqa: E402
from train.probe import main as probe  # noqa: E402
from train.provenance import command  # noqa: E402
from train.recipe import RECIPES, read_recipe, save_recipe  # noqa: E402
from train.targets import blended, loss_of, targets_of  # noqa: E402

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The card of a net of somebody else's whose 432 features are the crop, made small."""
    folder = tmp_path_factory.mktemp("large")
    crop = keras.Input((24, 24, 3))
    keras.Model(crop, keras.layers.Flatten()(keras.layers.AveragePooling2D(2)(crop))).save(folder / "large.keras")
    card = {
        "name": "large",
        "file": "large.keras",
        "task": "regression",
        "input": {"width": 24, "height": 24, "channels": 3, "range": [-1, 1]},
        "trained": "by hand",
    }
    (folder / "large.yaml").write_text(yaml.safe_dump(card))
    return folder / "large.yaml"


def probed(task, data, large, run, *more) -> int:
    words = [task, "--net", large, "--out", run, "--data", data, "--workers", 0, *more]
    settings = ["sources={utkface: 1}", "unlabelled={fer2013: 1}", "batch=16", "epochs=15", "learning_rate=0.01"]
    return probe([*map(str, words), *(word for setting in settings for word in ("--recipe", setting))])


@pytest.fixture(scope="module")
def teacher(data, large, tmp_path_factory):
    """The run folder of a probe for gender and age."""
    run = tmp_path_factory.mktemp("teacher") / "run"
    assert probed("person", data, large, run) == 0
    return run


def gender(data, teacher, **changes):
    chosen = {"data": str(data), "sources": {"utkface": 1.0}, "teachers": (str(teacher),)}
    return RECIPES["gender"].with_changes(chosen | changes)


@pytest.mark.long
def test_a_head_on_the_features_of_a_net_learns_the_task(data, teacher):
    rows = written_answers(gender(data, teacher))["utkface"]
    faces = load(TASKS["gender"], "utkface", "train", data, taught=rows)
    right = faces.labels[TAUGHT].argmax(axis=1) == faces.labels["gender"]
    assert right.mean() > 0.9


@pytest.mark.long
def test_answers_are_probabilities_about_what_is_learned_from_and_nothing_about_the_test_part(data, teacher):
    with np.load(data / "utkface.npz") as cache:
        held_out = cache["part"] == 2
    rows = written_answers(gender(data, teacher))["utkface"]
    assert rows.shape == (60, 2) and not rows[held_out].any()
    assert rows[~held_out].sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.long
def test_a_teacher_does_not_tell_the_gender_of_a_part_that_has_men_only(large, tmp_path):
    write_fairface(tmp_path / "sets")
    list(prepare(tmp_path / "sets", [], tmp_path / "data"))
    words = ["--net", large, "--out", tmp_path / "run", "--data", tmp_path / "data", "--workers", 0]
    assert probe(["person", *map(str, words), "--recipe", "sources={fairface: 1}", "--recipe", "batch=2"]) == 0
    recipe = RECIPES["person"].with_changes({"sources": {"fairface": 1.0}, "teachers": (str(tmp_path / "run"),)})
    rows = written_answers(recipe)["fairface"]
    with np.load(tmp_path / "data/fairface.npz") as cache:
        seen, is_told = cache["part"] != 2, cache["gender_usable"]
    assert (seen & ~is_told).any()
    assert rows[:, :2].any(axis=1).tolist() == (seen & is_told).tolist()
    assert rows[:, 2:].any(axis=1).tolist() == seen.tolist()


@pytest.mark.long
def test_a_teacher_of_more_heads_answers_for_the_one_that_is_asked_about(data, teacher):
    ages = RECIPES["age"].with_changes({"data": str(data), "sources": {"utkface": 1.0}, "teachers": (str(teacher),)})
    both = written_answers(ages.with_changes({"task": "person"}))["utkface"]
    assert np.array_equal(both[:, :2], written_answers(gender(data, teacher))["utkface"])
    assert np.array_equal(both[:, 2:], written_answers(ages)["utkface"])


@pytest.mark.long
def test_a_net_learns_from_what_a_teacher_wrote_down_also_about_faces_without_labels(data, teacher, tmp_path):
    lines = []
    tiny = {"side": 24, "width": 0.25, "architecture": "residual", "batch": 16, "epochs": 1}
    run = trained(gender(data, teacher, unlabelled={"fer2013": 0.5}, **tiny), tmp_path / "run", say=lines.append)
    assert lines[0].startswith("gender: 92 pictures to train on, 12 to validate, ")
    told = command(read_recipe(run)).split(" && ")
    assert told[0].startswith("python -m train.probe person --net ") and told[0].endswith(" --out runs/run")
    assert told[1].startswith("python -m train gender ")


@pytest.mark.long
def test_a_card_is_refused_where_it_could_not_say_whose_nets_are_in_it(data, teacher, tmp_path):
    shutil.copy(teacher / "recipe.json", tmp_path)
    (tmp_path / "origin.json").write_text("{")
    with pytest.raises(DataError, match=r"origin.json: cannot be read"):
        command(gender(data, tmp_path))


def test_written_answers_are_learned_like_those_of_a_teacher_that_is_asked():
    heads, rng = (GENDER, AGE), np.random.default_rng(0)
    given = {"gender": np.array([1, -1]), "age_group": np.array([3, -1])}
    said = rng.dirichlet(np.ones(103), 2).astype(np.float32)
    said[:, :2] /= said[:, :2].sum(axis=1, keepdims=True)
    said[:, 2:] /= said[:, 2:].sum(axis=1, keepdims=True)
    logits = rng.normal(size=(2, 103)).astype(np.float32)
    targets = targets_of(heads, Faces(np.empty(2), np.empty(2), given), 0.05)
    faces = Faces(np.empty(2), np.empty(2), given | {TAUGHT: said})
    asked = loss_of(heads, 0.7)(targets, np.concatenate([logits, said], axis=1))
    written = loss_of(heads)(blended(heads, targets, faces, 0.7), logits)
    assert float(written) == pytest.approx(float(asked), rel=1e-5)


@pytest.mark.long
def test_a_probe_that_was_broken_off_looks_at_no_picture_twice(data, large, teacher, monkeypatch, capsys):
    (teacher / "answers.npz").unlink()
    assert probed("person", data, large, teacher) == 0
    assert "looks at" not in capsys.readouterr().out
    assert (teacher / "answers.npz").is_file()


@pytest.mark.long
def test_what_a_teacher_cannot_answer_is_said(data, large, teacher, tmp_path):
    with pytest.raises(DataError, match=r"answers for gender, age, not for emotion; name another teacher"):
        written_answers(RECIPES["emotion"].with_changes({"teachers": (str(teacher),)}))
    with pytest.raises(DataError, match=r"says nothing about web; run train.probe with it, too"):
        written_answers(gender(data, teacher, unlabelled={"web": 1.0}))
    with pytest.raises(DataError, match=r"name teachers of one kind"):
        written_answers(gender(data, teacher, teachers=(str(teacher), str(tmp_path))))
    with pytest.raises(DataError, match=r"is not the cache that the teacher saw"):
        load(TASKS["gender"], "utkface", "train", data, taught=np.zeros((7, 2)))


def test_a_net_that_is_not_there_is_a_sentence(data, tmp_path, capsys):
    assert probed("gender", data, tmp_path / "none.yaml", tmp_path / "run") == 2
    assert "none.yaml" in capsys.readouterr().err


def test_of_two_teachers_that_wrote_their_answers_down_the_mean_is_learned(tmp_path):
    said = np.random.default_rng(0).dirichlet((1, 1), (2, 3)).astype(np.float32)
    for name, rows in zip(("one", "other"), said, strict=True):
        (tmp_path / name).mkdir()
        save_recipe(RECIPES["gender"], tmp_path / name)
        write_answers(tmp_path / name, {"utkface": rows})
    teachers = (str(tmp_path / "one"), str(tmp_path / "other"))
    pupil = RECIPES["gender"].with_changes({"sources": {"utkface": 1.0}, "teachers": teachers})
    assert written_answers(pupil)["utkface"] == pytest.approx(said.mean(axis=0), abs=1e-6)
