"""The documentation is checked against the program: options, keys, cards, links, messages, pictures and figures."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import re
import shlex
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import yaml

import run_pipeline
from docs.drawing import DARK, LIGHT, drawing, machines
from docs.example import with_example
from docs.figures import table, with_figures
from docs.make_pictures import first_configuration
from stages.answers import Age, Classes
from stages.commands.facepipe import COMMANDS
from stages.config.keys import keys_of
from stages.config.load import read_config
from stages.config.schema import Attribute, Detect, Render
from stages.errors import FacepipeError
from stages.frames import Face, FinishedFrame, Picture, Pose
from stages.plan import read_pipeline
from stages.results.jsonl import record
from stages.vision.inference.card import load_card

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((PROJECT / "docs").glob("*.md"))
TEXTS = {page.relative_to(PROJECT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
CARDS = sorted((PROJECT / "models").glob("*.yaml"))


# --- Taking pages apart ---


def blocks(text: str, language: str) -> list[str]:
    """The contents of the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def spans(text: str) -> list[str]:
    """What stands between backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", without_blocks(text))


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[str]:
    """Every command of a page: the lines of its shell blocks without their comments, and spans that hold one."""
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    lines += [span for span in spans(text) if re.search(r"python|run_pipeline|^facepipe |^make |^--", span)]
    return [line for line in (re.sub(r"(^|\s)#\s.*", "", line).strip(" &") for line in lines) if line]


def targets(text: str) -> list[str]:
    """What links and pictures point at, but for other sites."""
    text = without_blocks(text)
    found = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text)
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def files(text: str) -> list[str]:
    """Paths of the project; NAME stands for any name."""
    found = [span for span in spans(text) if re.fullmatch(r"(stages|train|tests|models|docs)/[\w./-]*", span)]
    return [path for path in found if "NAME" not in path]


def headings(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", without_blocks(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def untrue(part: Callable[[str], list[str]], holds: Callable[[str, str], object]) -> list[tuple[str, str, str]]:
    """(page, what, why) for all that `part` finds in the pages and that does not hold: `holds(page, what)` is false.

    Where `holds` raises one of our errors its sentence is the reason.
    """
    found = [(page, what) for page, text in TEXTS.items() for what in part(text)]
    assert found, "the pages are taken apart wrongly"
    return [(page, what, why) for page, what in found if (why := _reason(holds, page, what))]


def _reason(holds: Callable[[str, str], object], page: str, what: str) -> str:
    try:
        return "" if holds(page, what) else "is not there"
    except FacepipeError as error:
        return str(error)


# --- Commands ---


def options_of(command: str) -> set[str]:
    """The options that the program of a command has."""
    if called := re.match(r"facepipe(?: ([a-z]+))?\b", command):
        name = called[1] if called[1] in COMMANDS else "run"
        parser = importlib.import_module(COMMANDS[name].module, "stages.commands").parser()
        return set(re.findall(r"--[a-z][a-z-]*", parser.format_help())) | {"--help-all", "--version"}
    module = re.search(r"python -m ([\w.]+)", command)
    if module is None:
        own = set(re.findall(r"--[a-z][a-z-]*", help_of_the_command()))
        # One that stands alone in a sentence may be that of a command that reads results, or of the server.
        others = (
            "python -m stages.report",
            "python -m stages.export",
            "python -m stages.serve",
            "facepipe deploy",
            "facepipe archive",
        )
        return own.union(*map(options_of, others)) if command.startswith("--") else own
    name = (
        "stages.program"
        if module[1].startswith("stages.")
        and not re.search("card|export|measure|people|replay|report|serve", module[1])
        else module[1]
    )
    own = (
        "bench.scenes",
        "bench.cameras",
        "bench.fairness",
        "bench.fleet",
        "bench.scale",
    )  # the others have those of every measurement
    same = name.partition(".")[0] == "bench" and name not in own
    name = "bench.options" if same else name
    source = find_spec(f"{name}.__main__" if find_spec(name).submodule_search_locations else name).origin
    return {*re.findall(r'"(--[a-z][a-z-]*)"', Path(source).read_text(encoding="utf-8")), "--help"}


def help_of_the_command() -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
        run_pipeline.main(["--help-all"])
    return printed.getvalue()


def ours(text: str) -> list[str]:
    """The commands whose options are ours to check."""
    begins = r"(facepipe |\S*python run_pipeline\.py|run_pipeline\.py|\S*python -m|ExecStart=\S*python -m|--[a-z])"
    return [c for c in commands(text) if re.match(begins, c) and "docker" not in c and "--device" not in c]


def test_every_option_of_a_command_exists():
    def holds(page, command):
        return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", command)) <= options_of(command)

    assert untrue(ours, holds) == []


def test_every_module_and_every_target_of_make_exists():
    targets_of_make = set(re.findall(r"^([\w-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    modules = untrue(
        lambda text: re.findall(r"python -m ([\w.]+)", "\n".join(commands(text))), lambda _, name: find_spec(name)
    )
    made = untrue(
        lambda text: [command.split()[1] for command in commands(text) if command.startswith("make ")],
        lambda _, name: name in targets_of_make,
    )
    assert modules + made == []


def test_every_set_is_accepted():
    def holds(page, command):
        words = shlex.split(command)
        pairs = list(zip(words, words[1:], strict=False))
        given = [value for option, value in pairs if option == "--set" and value != "KEY=VALUE" and "..." not in value]
        keys = {"--detector": "stages.detect.detector", "--detector-model": "stages.detect.model"}
        return read_config("", page, given + [f"{keys[option]}={value}" for option, value in pairs if option in keys])

    assert untrue(ours, holds) == []


# --- Configurations, cards and results ---


def yaml_blocks(text: str, *, cards: bool) -> list[str]:
    return [block for block in blocks(text, "yaml") if ("task" in yaml.safe_load(block)) == cards]


def test_every_configuration_and_every_card_is_accepted(tmp_path):
    def is_card(page, block):
        (tmp_path / "card.yaml").write_text(block, encoding="utf-8")
        return load_card(tmp_path / "card.yaml")

    configurations = untrue(lambda text: yaml_blocks(text, cards=False), lambda page, block: read_config(block, page))
    assert configurations + untrue(lambda text: yaml_blocks(text, cards=True), is_card) == []


def test_every_key_and_every_setting_exists():
    def exists(page, key):
        section, _, name = key.partition(":")[0].rpartition(".")
        schema = Render if section == "render" else Detect if section == "stages.detect" else Attribute
        return name in keys_of(schema) or find_spec(f"{section}.{name}")  # `stages.config.schema` is a module.

    def accepted(page, setting):
        return read_config(f"render: {{{setting}}}" if setting.startswith("show") else setting, page)

    keys, settings = r"(stages\.\w+|render)\.[a-z_]+(: .*)?", r"(window|window_memory|pace|port|show): \S.*"
    wrong = untrue(lambda text: [span for span in spans(text) if re.fullmatch(keys, span)], exists)
    assert wrong + untrue(lambda text: [s for s in spans(text) if re.fullmatch(settings, s)], accepted) == []


def shape(value):
    """What keys there are; scores by label are as many as the model has."""
    match value:
        case {"scores": _}:
            return sorted(value)
        case dict():
            return {key: shape(inner) for key, inner in value.items()}
        case list():
            return [shape(value[0])] if value else []
    return None


def test_the_line_of_results_has_the_keys_of_a_real_one():
    [page] = [text for text in TEXTS.values() if any('"faces"' in block for block in blocks(text, "json"))]
    [shown] = blocks(page, "json")
    scores = {"man": 0.1, "woman": 0.9}
    answers = {
        "gender": Classes("woman", 0.9, scores),
        "emotion": Classes("happy", 1.0, {"happy": 1.0}),
        "age": Age(31.0, 25.0, 38.0, "30-39"),
    }
    marks = {"landmarks": ((1.0, 2.0),) * 5, "pose": Pose(0.0, 0.0, 0.0), "quality": 0.5}
    face = Face((1.0, 2.0, 30.0, 30.0), 0.9, answers, id=1, smoothed=answers, **marks)
    frame = FinishedFrame("demo", 1, Picture(np.zeros((8, 8, 3), np.uint8), 0.0, 25.0), [face])
    assert shape(json.loads(shown)) == shape(record(frame))
    assert with_example(page, json.loads(shown)) == page, "run make pictures"


# --- Links, pictures and tables ---


def test_every_relative_link_every_picture_and_every_file_of_the_project_exists():
    def exists(page, target):
        path, _, anchor = target.partition("#")
        file = (PROJECT / page).parent / path if path else PROJECT / page
        return file.exists() and (not anchor or anchor in headings(file.read_text(encoding="utf-8")))

    assert untrue(targets, exists) + untrue(files, lambda page, path: (PROJECT / path).exists()) == []


def test_every_test_that_a_page_names_as_proof_is_there():
    tests = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "tests").rglob("test_*.py"))

    def named(text: str) -> list[str]:
        return [span for span in spans(text) if re.fullmatch(r"test_\w+", span)]

    assert untrue(named, lambda _, name: f"def {name}(" in tests) == []


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_drawings_are_those_of_today(theme):
    dark = "" if theme == LIGHT else "-dark"
    pipeline, _ = read_pipeline(None)
    house = first_configuration(PROJECT / "docs" / "machines.md")
    for name, drawn in (("pipeline", drawing(pipeline, theme)), ("machines", machines(house, theme))):
        assert (PROJECT / "docs" / f"{name}{dark}.svg").read_text(encoding="utf-8") == drawn, "run make pictures"


@pytest.mark.skipif(not CARDS, reason="there are no models")
def test_the_figures_of_the_models_are_those_of_their_cards():
    page = TEXTS["docs/models.md"]
    assert page == with_figures(page, PROJECT / "models"), "run make pictures"


def test_figures_are_shown_as_shares_years_times_counts_and_rows_by_label_and_group(tmp_path):
    (tmp_path / "n.tflite").write_bytes(bytes(2000))
    (tmp_path / "n.yaml").write_text(
        "name: n\nfile: n.tflite\ninput: {width: 48, height: 40, channels: 1}\nlimits: none known\n"
        "trained: {data: [a set], licence: free, command: python -m train n}\n"
        "figures: {a set: {accuracy: 0.6208, MAE (years): 5.5, a face (ms): 0.854, pictures: 3589,"
        " command: python -m x},"
        " other: {accuracy: 0.6, recall of sad: 0.5, precision of sad: 0.25,"
        " groups: {race other: 0.7, ages 20-29: 0.8, ages 3-9: 0.9}},"
        " stored as: {float32: {accuracy: 0.9, ms a face: 0.5}, int8: {ms a face: 0.4}}}\n"
    )
    shown = table(tmp_path)
    for part in (
        "| float32 | 90.0 % | 0.50 |",
        "| int8 | not supported by LiteRT | 0.40 |",
        "62.1 %",
        "| MAE | 5.5 years |",
        "| a face | 0.85 ms |",
        "| 3589 |",
        "| sad | 50.0 % | 25.0 % |",
        "| race other | 70.0 % |\n| ages 3-9 | 90.0 % |\n| ages 20-29 | 80.0 % |",
    ):
        assert part in shown
