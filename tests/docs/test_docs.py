"""The documentation is checked against the program: options, keys, cards, links, messages, pictures and figures."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import tomllib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import yaml

import run_pipeline
from docs.drawing import DARK, LIGHT, drawing, machines
from docs.example import with_example
from docs.figures import MissingMarkers, table, with_figures
from docs.make_pictures import first_configuration
from stages.answers import Age, Classes
from stages.config.keys import keys_of
from stages.config.load import read_config
from stages.config.schema import Attribute, ConfigError, Detect, Pipeline, Render
from stages.frames import Face, FinishedFrame, Picture, Pose
from stages.plan import read_pipeline
from stages.results.jsonl import record
from stages.vision.detectors import dlib_cnn, yunet
from stages.vision.inference.card import load_card
from stages.vision.inference.fields import CardError

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((PROJECT / "docs").glob("*.md"))
TEXTS = {page.relative_to(PROJECT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
CARDS = sorted((PROJECT / "models").glob("*.yaml"))


# --- What the pages say is there ---


def test_every_test_that_a_page_names_as_proof_is_there():
    tests = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "tests").rglob("test_*.py"))
    named = {span for text in TEXTS.values() for span in spans(text) if re.fullmatch(r"test_\w+", span)}
    assert named and {name for name in named if f"def {name}(" not in tests} == set()


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
    lines += [span for span in spans(text) if re.search(r"python|run_pipeline|^make |^--", span)]
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


def everywhere(part) -> list:
    """(page, what) for all that `part` finds in the pages."""
    return [
        pytest.param(name, what, id=f"{name}: {' '.join(what.split())[:60]}")
        for name in TEXTS
        for what in part(TEXTS[name])
    ]


# --- Commands ---


def options_of(command: str) -> set[str]:
    """The options that the program of a command has."""
    module = re.search(r"python -m ([\w.]+)", command)
    if module is None:
        own = set(re.findall(r"--[a-z][a-z-]*", help_of_the_command()))
        # One that stands alone in a sentence may be the report's.
        return own | options_of("python -m stages.report") if command.startswith("--") else own
    name = (
        "stages.supervision.stage"
        if module[1].startswith("stages.") and not re.search("measure|replay|report", module[1])
        else module[1]
    )
    same = name.partition(".")[0] == "bench" and name != "bench.scenes"  # which measures nothing
    name = "bench.options" if same else name
    source = find_spec(f"{name}.__main__" if find_spec(name).submodule_search_locations else name).origin
    return {*re.findall(r'"(--[a-z][a-z-]*)"', Path(source).read_text(encoding="utf-8")), "--help"}


def help_of_the_command() -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
        run_pipeline.main(["--help"])
    return printed.getvalue()


def ours(text: str) -> list[str]:
    """The commands whose options are ours to check."""
    begins = r"(\S*python run_pipeline\.py|run_pipeline\.py|\S*python -m|ExecStart=\S*python -m|--[a-z])"
    return [c for c in commands(text) if re.match(begins, c) and "docker" not in c and "--device" not in c]


@pytest.mark.parametrize(("page", "command"), everywhere(ours))
def test_every_option_that_the_documentation_names_exists(page, command):
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", command))
    assert named <= options_of(command), f"{page} names an option that `{command}` does not have"


@pytest.mark.parametrize(("page", "command"), everywhere(lambda text: [c for c in commands(text) if "-m " in c]))
def test_every_module_that_the_documentation_runs_exists(page, command):
    for module in re.findall(r"python -m ([\w.]+)", command):
        assert find_spec(module), f"{page} runs {module}"


@pytest.mark.parametrize(("page", "command"), everywhere(lambda text: [c for c in commands(text) if c[:5] == "make "]))
def test_every_target_of_make_that_the_documentation_names_exists(page, command):
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{command.split()[1]}:", makefile, re.MULTILINE), f"{page} says `{command}`"


@pytest.mark.parametrize(("page", "command"), everywhere(ours))
def test_every_set_of_the_documentation_is_accepted(page, command):
    words = shlex.split(command)
    pairs = list(zip(words, words[1:], strict=False))
    given = [value for option, value in pairs if option == "--set"]
    if "KEY=VALUE" in given or given == ["source=..."]:
        return  # The form, not an example.
    keys = {"--detector": "stages.detect.detector", "--detector-model": "stages.detect.model"}
    given += [f"{keys[option]}={value}" for option, value in pairs if option in keys]
    read_config("", page, given)


# --- Configurations, cards and results ---


def configurations(text: str) -> list[str]:
    return [block for block in blocks(text, "yaml") if "task" not in yaml.safe_load(block)]


def cards(text: str) -> list[str]:
    return [block for block in blocks(text, "yaml") if "task" in yaml.safe_load(block)]


@pytest.mark.parametrize(("page", "block"), everywhere(configurations))
def test_every_configuration_of_the_documentation_is_accepted(page, block):
    read_config(block, page)


@pytest.mark.parametrize(("page", "block"), everywhere(cards))
def test_every_card_of_the_documentation_is_accepted(page, block, tmp_path):
    (tmp_path / "card.yaml").write_text(block, encoding="utf-8")
    load_card(tmp_path / "card.yaml")


@pytest.mark.parametrize(
    ("page", "key"),
    everywhere(lambda text: [s for s in spans(text) if re.fullmatch(r"(stages\.\w+|render)\.[a-z_]+(: .*)?", s)]),
)
def test_every_key_that_the_documentation_names_exists(page, key):
    section, _, name = key.partition(":")[0].rpartition(".")
    schema = Render if section == "render" else Detect if section == "stages.detect" else Attribute
    # `stages.config.schema` and the like are modules.
    assert name in keys_of(schema) or find_spec(f"{section}.{name}"), f"{page} names {key}"


@pytest.mark.parametrize(
    ("page", "setting"),
    everywhere(
        lambda text: [s for s in spans(text) if re.fullmatch(r"(window|window_memory|pace|port|show): \S.*", s)]
    ),
)
def test_every_setting_that_the_documentation_names_is_accepted(page, setting):
    read_config(f"render: {{{setting}}}" if setting.startswith("show") else setting, page)


@pytest.mark.parametrize(
    "key", ["deadline", "give_up_after", "resend_after", "hang", "window", "window_memory", "port"]
)
def test_the_keys_of_the_dispatcher_are_called_what_the_design_calls_them(key):
    assert f"`{key}`" in TEXTS["docs/design.md"] + TEXTS["docs/protocol.md"]
    assert key in keys_of(Pipeline)


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
    [shown] = blocks(TEXTS["docs/results.md"], "json")
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
    extra = FinishedFrame("d", 1, Picture(np.zeros((8, 8, 3), np.uint8), 0.0, 25.0, "a.jpg"), [], ["age"], "why")
    for key in record(extra).keys() - record(frame).keys():
        assert f"`{key}`" in TEXTS["docs/results.md"]


def test_a_line_of_results_is_wrapped_as_it_was_and_keeps_what_it_says():
    page = TEXTS["docs/results.md"]
    line = json.loads(blocks(page, "json")[0])
    assert with_example(page, line) == page
    line["faces"].append({"id": 4})
    assert with_example(page, line) == page


# --- Links, pictures and tables ---


@pytest.mark.parametrize(("page", "target"), everywhere(targets))
def test_every_relative_link_and_picture_exists(page, target):
    path, _, anchor = target.partition("#")
    file = (PROJECT / page).parent / path if path else PROJECT / page
    assert file.exists(), f"{page} points at {target}"
    if anchor:
        assert anchor in headings(file.read_text(encoding="utf-8")), f"{page} points at {target}"


@pytest.mark.parametrize(("page", "path"), everywhere(files))
def test_every_file_of_the_project_that_the_documentation_names_exists(page, path):
    assert (PROJECT / path).exists(), f"{page} names {path}"


@pytest.mark.parametrize("page", TEXTS)
def test_every_table_has_a_heading_so_none_is_split_in_two(page):
    for part in re.split(r"\n(?!\|)", without_blocks(TEXTS[page])):
        rows = [line for line in part.splitlines() if line.startswith("|")]
        assert not rows or re.fullmatch(r"[| -]+", "".join(rows[1:2])), f"{page}: {rows[0]}"


def test_the_documentation_says_of_every_dependency_what_it_is_for():
    groups = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    names = {re.match(r"[\w-]+", entry)[0] for group in groups.values() for entry in group if isinstance(entry, str)}
    rows = re.findall(r"^\| ([\w, -]+) \| .* \| .* \|$", TEXTS["docs/installation.md"], re.MULTILINE)
    assert {name for row in rows for name in row.split(", ")} >= names


def test_the_readme_says_where_the_detectors_get_their_model_files():
    for where in (yunet.WHERE, dlib_cnn.WHERE):
        assert re.search(r"https?://\S+", where)[0] in TEXTS["README.md"]


@pytest.mark.parametrize(("name", "theme"), [("pipeline.svg", LIGHT), ("pipeline-dark.svg", DARK)])
def test_the_drawing_of_the_pipeline_is_the_one_of_today(name, theme):
    pipeline, _ = read_pipeline(None)
    assert (PROJECT / "docs" / name).read_text(encoding="utf-8") == drawing(pipeline, theme), "run make pictures"


@pytest.mark.parametrize(("name", "theme"), [("machines.svg", LIGHT), ("machines-dark.svg", DARK)])
def test_the_drawing_of_the_machines_is_that_of_the_configuration_above_it(name, theme):
    house = first_configuration(PROJECT / "docs" / "machines.md")
    assert (PROJECT / "docs" / name).read_text(encoding="utf-8") == machines(house, theme), "run make pictures"


def test_the_drawing_of_machines_says_who_connects_to_which_port():
    hosts = "hosts: {a: {address: x}, b: {address: y, port: 7000}}"
    config = f"{hosts}\nstages: {{detect: {{host: b}}, age: {{}}}}\ncapture: {{host: b}}"
    drawn = machines(read_config(config, "mine.yaml"), LIGHT)
    assert ">5600: pictures, boxes<" in drawn and ">7001: crops<" in drawn
    assert drawn.count('marker-end="url(#tip)"') == 2


def test_no_line_of_the_drawing_of_machines_runs_through_a_label():
    drawn = machines(first_configuration(PROJECT / "docs" / "machines.md"), LIGHT)
    lanes = [[float(x) for x in path] for path in re.findall(r'd="M(\S+) (\S+) V(\S+) H(\S+) V', drawn)]
    labels = re.findall(r'<text x="(\S+)" y="(\S+)" font-size="13.5"[^>]*>(\d+: [^<]+)<', drawn)
    assert len(lanes) == len(labels) == 4
    for x, y, words in labels:
        half = 8 * len(words) / 2
        crossing = [line for start, _, bottom, end in lanes if bottom > float(y) for line in (start, end)]
        assert not [line for line in crossing if abs(line - float(x)) < half], words


def test_the_drawing_shows_the_stages_of_the_configuration():
    drawn = drawing(read_config("stages: {glasses: {kind: attribute, model: g.yaml, replicas: 3}}", "mine.yaml"), LIGHT)
    assert ">glasses<" in drawn and "g.yaml, 3 processes" in drawn
    assert ">gender<" not in drawn


@pytest.mark.skipif(not CARDS, reason="there are no models")
def test_the_figures_of_the_models_are_those_of_their_cards():
    page = TEXTS["docs/models.md"]
    assert page == with_figures(page, PROJECT / "models"), "run make pictures"


@pytest.mark.skipif(not CARDS, reason="there are no models")
@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_the_documentation_names_what_the_models_were_trained_on(card):
    trained = yaml.safe_load(card.read_text(encoding="utf-8"))["trained"]
    terms = TEXTS["docs/models.md"].partition("## Training data and licences")[2]
    for licence in trained["licence"].split("; "):
        words = {"faces from the web": "faces of public figures from the web"}
        name = licence.partition(":")[0]
        [row] = [line for line in terms.splitlines() if line.startswith(f"| {words.get(name, name)}")]
        assert card.stem in row


def test_a_page_without_a_place_for_figures_is_refused():
    with pytest.raises(MissingMarkers, match="needs the lines"):
        with_figures("# Models\n", PROJECT / "models")


def test_figures_are_shown_as_shares_years_times_and_counts(tmp_path):
    (tmp_path / "n.tflite").write_bytes(bytes(2000))
    (tmp_path / "n.yaml").write_text(
        "name: n\nfile: n.tflite\ninput: {width: 48, height: 40, channels: 1}\nlimits: none known\n"
        "trained: {data: [a set], licence: free, command: python -m train n}\n"
        "figures: {a set: {accuracy: 0.6208, MAE (years): 5.5, a face (ms): 0.854, pictures: 3589,"
        " command: python -m x},"
        " stored as: {float32: {accuracy: 0.9, ms a face: 0.5}, int8: {ms a face: 0.4}}}\n"
    )
    shown = table(tmp_path)
    for part in (
        "| float32 | 90.0 % | 0.50 |",
        "| int8 | not supported by LiteRT | 0.40 |",
        "2 kB. Input: 48 x 40 pixels in grey",
        "62.1 %",
        "| MAE | 5.5 years |",
        "| a face | 0.85 ms |",
        "| 3589 |",
        "`python -m x`",
    ):
        assert part in shown


def test_figures_by_label_and_group_are_a_row_each_and_ages_in_order(tmp_path):
    (tmp_path / "n.tflite").write_bytes(bytes(2000))
    (tmp_path / "n.yaml").write_text(
        "name: n\nfile: n.tflite\ninput: {width: 48, height: 40, channels: 3}\nlimits: none known\n"
        "trained: {data: [a set], licence: free, command: python -m train n}\n"
        "figures: {a set: {accuracy: 0.6, recall of sad: 0.5, precision of sad: 0.25,"
        " groups: {race other: 0.7, ages 20-29: 0.8, ages 3-9: 0.9}}}\n"
    )
    shown = table(tmp_path)
    assert "| sad | 50.0 % | 25.0 % |" in shown
    assert "| race other | 70.0 % |\n| ages 3-9 | 90.0 % |\n| ages 20-29 | 80.0 % |" in shown


# --- These checks notice what they are for ---


def test_an_option_that_does_not_exist_would_be_noticed():
    [command] = ours("Write `python run_pipeline.py --stale`.")
    assert "--stale" not in options_of(command)
    [stage] = ours("```sh\npython -m stages.attribute --stage glasses --fast &   # see below\n```\n")
    assert "--stage" in options_of(stage) and "--fast" not in options_of(stage)


def test_a_key_that_does_not_exist_would_be_noticed(tmp_path):
    [block] = configurations("```yaml\nwindows: 3\n```\n")
    with pytest.raises(ConfigError, match="windows"):
        read_config(block, "page.md")
    [block] = cards("```yaml\ntask: classes\nfiel: n.tflite\n```\n")
    (tmp_path / "card.yaml").write_text(block)
    with pytest.raises(CardError, match="fiel"):
        load_card(tmp_path / "card.yaml")


def test_links_and_anchors_are_found():
    text = 'See [that](docs/a.md#b-c), [there](https://x.org) and ![it](p.png).\n<img src="q.svg">\n## B, c\n'
    assert targets(text) == ["docs/a.md#b-c", "p.png", "q.svg"]
    assert headings(text) == {"b-c"}
