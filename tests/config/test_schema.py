"""The configuration: strict YAML in, a checked pipeline or one sentence out."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from stages.areas import Areas
from stages.config.keys import keys_of
from stages.config.load import Override, read_config
from stages.config.reference import page
from stages.config.schema import Attribute, Capture, ConfigError, Detect, Frames, Haar, Host, Pipeline, Render

PROJECT = Path(__file__).resolve().parents[2]
TOP = (
    "source, sources, port, window, window_memory, pace, deadline, give_up_after, reconnect, resend_after, hang, tries,"
    " stages, render, capture, frames, zones, lines, hosts, keys, mqtt, webhooks, chaos"
)


def error(text: str, *overrides: str | Override) -> str:
    with pytest.raises(ConfigError) as raised:
        read_config(text, "pipeline.yaml", overrides)
    return str(raised.value)


# --- Defaults ---


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n", "---\n", "\ufeffwindow: 16", "render:\n"])
def test_a_configuration_without_keys_is_the_default_pipeline(text):
    assert read_config(text, "p") == Pipeline()


def test_the_default_pipeline_runs_four_stages_on_the_camera_or_the_demo():
    pipeline = Pipeline()
    assert pipeline.all_sources() == {None: "auto"}
    assert pipeline.detect == Detect(
        detector="fast", model=None, longest_side="auto", smallest_face="auto", threshold="auto", replicas="auto"
    )
    assert pipeline.attributes() == {
        "gender": Attribute(model="models/gender.yaml"),
        "emotion": Attribute(model="models/emotion.yaml"),
        "age": Attribute(model="models/age.yaml"),
    }
    assert pipeline.render == Render(display="auto", show="latest", output=None, annotated=True)


def test_the_file_that_comes_with_the_project_says_what_holds_anyway():
    assert read_config((PROJECT / "pipeline.yaml").read_text(encoding="utf-8"), "p") == Pipeline()


def test_a_detector_has_the_settings_that_suit_it_so_far_as_nothing_else_is_said():
    def resolved(name: str, more: str = "") -> tuple:
        detect = read_config(f"stages: {{detect: {{detector: {name}{more}}}}}", "p").detect.resolved()
        return detect.longest_side, detect.smallest_face, detect.threshold

    assert resolved("dlib") == (1280, 0.08, 0.95)
    assert resolved("fast")[2] is None  # Its card says it.
    assert resolved("dlib", ", longest_side: 320") == (320, 0.08, 0.95)
    assert resolved("fast", ", smallest_face: 0.2, threshold: 0.6") == (448, 0.2, 0.6)


def test_a_key_that_has_moved_is_named_where_it_is_now():
    for key in ("step", "neighbours"):
        sentence = f"stages.detect.{key} is stages.detect.haar.{key} now; write it there."
        assert error(f"stages:\n  detect:\n    {key}: 3") == f"pipeline.yaml:3: {sentence}"
        assert error("", f"stages.detect.{key}=3") == f"--set {sentence}"


def test_haars_own_keys_stand_below_haar():
    assert read_config("stages: {detect: {haar: {step: 1.1}}}", "p").detect.haar == Haar(step=1.1, neighbours=3)
    assert read_config("", "p", ["stages.detect.haar.neighbours=5"]).detect.haar == Haar(neighbours=5)
    assert read_config("stages: {detect: {haar: }}", "p").detect.haar == Haar()


def test_the_reference_page_is_printed_from_the_schema():
    command = "python -m stages.config.reference > docs/configuration.md"
    assert (PROJECT / "docs" / "configuration.md").read_text(encoding="utf-8") == page(), f"run {command}"


@pytest.mark.parametrize("section", [Pipeline, Detect, Haar, Attribute, Render, Capture, Frames, Host])
def test_every_key_has_a_description_and_says_what_is_allowed(section):
    assert [key.name for key in keys_of(section).values()] == [f.name for f in fields(section)]
    for key in keys_of(section).values():
        assert key.description.endswith(".")
        assert key.allowed
        assert f"{key.name}` | " in page()


# --- Values ---


def test_values_are_read_as_they_are_written():
    text = """
        sources: {door: 0, yard.mp4: 'a # b.mp4', on: rtsp://me@there:554/x}
        port: 010000
        window: 1
        window_memory: 1.5 GiB
        pace: false
        deadline: 2
        stages:
          glasses: {kind: attribute, model: mine/glasses.yaml, replicas: 2}
          detect: {detector: yunet, model: y.onnx, smallest_face: 5e-2}
          age:
        render: {display: none, output: 2024-01-01, annotated: false}
    """
    assert read_config(text, "p") == Pipeline(
        sources={"door": 0, "yard.mp4": "a # b.mp4", "on": "rtsp://me@there:554/x"},
        port=10000,
        window=1,
        window_memory=1_610_612_736,
        pace=False,
        deadline=2.0,
        stages={
            "glasses": Attribute(model="mine/glasses.yaml", replicas=2),
            "detect": Detect(detector="yunet", model="y.onnx", smallest_face=0.05),
            "age": Attribute(model="models/age.yaml"),
        },
        render=Render(display="none", output="2024-01-01", annotated=False),
    )


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("256 MB", 256_000_000),
        ("256mb", 256_000_000),
        ("1 GB", 1_000_000_000),
        ("1024 KiB", 1_048_576),
        ("64 MiB", 67_108_864),
        ("2000000", 2_000_000),
    ],
)
def test_memory_is_written_with_its_unit_or_in_bytes(written, size):
    assert read_config(f"window_memory: {written}", "p").window_memory == size


def test_pieces_have_a_duration_and_are_kept_for_a_time_or_by_their_size():
    kept = read_config("render: {rotate: 90 m, keep: 2w}", "p").render
    assert (kept.rotate_s, kept.keep_s, kept.keep_bytes) == (5400, 1_209_600, None)
    kept = read_config("render: {rotate: 1d, keep: 1.5TB}", "p").render
    assert (kept.rotate_s, kept.keep_s, kept.keep_bytes) == (86_400, None, 1_500_000_000_000)


def test_only_the_stages_that_are_named_run_and_detect_always_does():
    assert list(read_config("stages: {age: , gender: {}}", "p").stages) == ["detect", "age", "gender"]
    assert list(read_config("stages: {age: {}, detect: {}}", "p").attributes()) == ["age"]
    assert list(read_config("stages:", "p").stages) == ["detect"]


@pytest.mark.parametrize(("cores", "detect"), [(0, 1), (1, 1), (2, 2), (4, 4), (64, 4)])
def test_automatic_replicas_of_detect_follow_the_cores_up_to_four(cores, detect):
    assert Pipeline().replicas(cores) == {"detect": detect, "gender": 1, "emotion": 1, "age": 1}


def test_replicas_that_are_given_hold_on_any_machine():
    pipeline = read_config("stages: {detect: {replicas: 7}, gender: {replicas: auto}, age: {replicas: 3}}", "p")
    assert pipeline.replicas(cores=2) == {"detect": 7, "gender": 1, "age": 3}


def test_stages_are_put_on_machines_by_a_word_each():
    text = """
        sources: {door: 0, yard: yard.mp4}
        hosts: {desk: {address: 192.168.7.10}, shed: {address: shed.local, port: 5700}}
        stages: {detect: {host: [desk, shed]}, age: {host: shed}}
        capture: {host: {yard: shed}}
        keys: mine/keys
        frames: {encoding: png}
    """
    assert read_config(text, "p") == Pipeline(
        sources={"door": 0, "yard": "yard.mp4"},
        hosts={"desk": Host(address="192.168.7.10"), "shed": Host(address="shed.local", port=5700)},
        stages={
            "detect": Detect(host=["desk", "shed"]),
            "age": Attribute(model="models/age.yaml", host="shed"),
        },
        capture=Capture(host={"yard": "shed"}),
        keys="mine/keys",
        frames=Frames(encoding="png"),
    )


def test_zones_and_lines_are_those_of_their_source():
    triangle, entrance = [[0, 0], [1, 0], [0.5, 1]], [[0.5, 0], [0.5, 1]]
    one = read_config(json.dumps({"zones": {"door": triangle}, "lines": {"way": entrance}}), "p")
    areas = Areas({"door": ((0, 0), (1, 0), (0.5, 1))}, {"way": ((0.5, 0), (0.5, 1))})
    assert one.areas_of("camera0") == areas
    sources = {"sources": {"a": 0, "b": 1}, "zones": {"a": {"door": triangle}}, "lines": {"a": {"way": entrance}}}
    several = read_config(json.dumps(sources), "p")
    assert (several.areas_of("a"), several.areas_of("b")) == (areas, Areas())


# --- Mistakes ---

VERBATIM = {
    "stages:\n  detect:\n    detector: harr\n": (
        "3: stages.detect.detector is 'harr'; write one of fast, haar, dlib, dlib-cnn, yunet (did you mean 'haar'?)."
    ),
    "port: 5600\nwindw: 3": f"2: windw is not a key; write one of {TOP} (did you mean 'window'?).",
    "window: '16'": "1: window is '16'; write a whole number from 1 to 1000.",
    "stages: {emotoin: {}}": (
        "1: stages.emotoin is not a known stage; a stage of your own needs 'kind: attribute' and 'model: CARD'"
        " (did you mean 'emotion'?)."
    ),
    "a: &x 1": "1: anchors and aliases are not read; write the value out, or put it in quotes.",
}


@pytest.mark.parametrize(("text", "sentence"), VERBATIM.items())
def test_a_mistake_is_told_in_one_sentence_with_line_key_value_and_what_is_allowed(text, sentence):
    assert error(text) == f"pipeline.yaml:{sentence}"


SOURCE, STAGE_KEYS = (
    "the number of a camera, or a file, folder, glob or URL",
    "kind, model, device, replicas, every, host",
)
CHARACTERS = "no name for a source; write 1 to 64 of the characters A-Z a-z 0-9 _ . -"
MISTAKES = [  # texts, the line and the key, what is allowed
    (["chaos: {gendre: {}}"], "1: chaos.gendre", "one of capture, detect, gender, emotion, age, render"),
    (["chaos: {age: {drop: 2}}"], "1: chaos.age.drop is 2", "from 0 to 1"),
    (["chaos: {age: {crash_at: 7}}"], "1: chaos.age.crash_at", "a list of numbers of frames"),
    (["hosts: [desk]"], "1: hosts is a list", "names of machines, each with its address"),
    (["hosts: {desk: {}}", "hosts: {desk: }"], "1: hosts.desk", "needs an address"),
    (["hosts: {desk: 192.168.7.10}"], "1: hosts.desk is '192.168.7.10'", "the keys address, port"),
    (["hosts: {desk: {address: a b}}"], "1: hosts.desk.address", "an IP address or the name of a machine"),
    (["hosts: {desk: {adress: x, address: y}}"], "1: hosts.desk.adress", "(did you mean 'address'?)"),
    (["hosts: {desk: {address: 0.0.0.0}}"], "1: hosts.desk.address", "where no other machine finds it"),
    (["hosts: {a.b: {address: x}}"], "1: 'a.b' is no name", "the characters A-Z a-z 0-9 _ -, no _ or - first"),
    (["hosts: {desk: {address: x}, Desk: {address: y}}"], "1: the hosts desk and Desk", "differ only in case"),
    (["hosts:\n  a: {address: x}\n  b: {address: X, port: 5601}"], "3: hosts.b", "the address of hosts.a"),
    (["stages: {gender: {host: shed}}"], "1: stages.gender.host is 'shed'", "name the machines under hosts"),
    (["hosts: {shed: {address: x}}\nrender: {host: shet}"], "2: render.host", "(did you mean 'shed'?)"),
    (["zones:\n  a: [[0, 0], [1, 0], [1, 1]]\n  b: [[0, 0], [1, 1], [1, 0], [0, 1]]"], "3: zones.b", "crosses itself"),
    (["zones:\n  a: [[0, 0], [2, 0], [1, 1]]"], "2: zones.a has the point [2, 0]", "outside the picture"),
    (["zones: {a: [[0, 0], [1, 1]]}"], "1: zones.a has 2 points", "three or more"),
    (["zones:\n  a: [[0, 0], [1, 0], [1, 1]]\n  a: []"], "3: a stands here and already in line 2", "keep one"),
    (["zones: {'a b': [[0, 0], [1, 0], [1, 1]]}"], "1: 'a b' is no name", "1 to 32 of the characters"),
    (["zones: {a.b: [[0, 0], [1, 0], [1, 1]]}"], "1: 'a.b' is no name", "1 to 32 of the characters"),
    (["lines: {a: [[0, 0]]}"], "1: lines.a has one point", "write two"),
    (["zones: {a: [[0, 0], [1, 0], [1, 1]]}\nlines: {A: [[0, 0], [1, 0]]}"], "2: lines.A", "the name of zones.a"),
    (["sources: {b: 0}\nzones: {a: [[0, 0], [1, 0], [1, 1]]}"], "2: zones.a has points", "below zones.b"),
    (["sources: {b: 0}\nlines: {c: {a: [[0, 0], [1, 0]]}}"], "2: lines.c is none of sources", "name a source"),
    (["zones: {b: {a: [[0, 0], [1, 0], [1, 1]]}}"], "1: zones.b is a mapping", "there is one source"),
    (["zones: 5"], "1: zones is 5", "names of zones, each with three points or more"),
    (["hosts: {shed: {address: x}}\nstages: {age: {host: [shed, shed]}}"], "2: stages.age.host", "a host twice"),
    (["stages: {age: {host: []}}"], "1: stages.age.host is a list", "one of hosts, or a list of them, or null"),
    (["hosts: {a: {address: x}}\nsources: {b: 0}\ncapture: {host: {c: a}}"], "3: capture.host.c", "none of sources"),
    (["render: {stream: u:hush@host/x}", "render: {stream: host:8554/x}"], "1: render.stream is a text", "rtsp://HOST"),
    (["render: {stream: [a.m3u8, hush@host/x]}"], "1: entry 2 of render.stream is a text", "ends in .m3u8"),
    (["render: {stream: 'hls/#1.m3u8'}"], "1: render.stream is a text", "has no # ? % in its name"),
    (["render: {stream: [a.m3u8, a.m3u8]}"], "1: render.stream names an address twice", "leave one out"),
    (["sources: {a: 0, b: 1}\nrender: {stream: a.m3u8}"], "2: render.stream is one address", "put {source} into it"),
    (["frames: {encoding: jpg}"], "1: frames.encoding", "one of jpeg, png, raw"),
    (["frames: {quality: 101}"], "1: frames.quality is 101", "from 1 to 100"),
    (["keys: 5"], "1: keys", "the path of a folder"),
    (["detector: dlib"], "1: detector is not a key", "(did you mean 'stages.detect.detector'?)"),
    (["'': 1"], "1: '' is not a key", TOP),
    ([f"window: {value}" for value in ("true", "16.5", "0", "1001", "", "[1]")], "1: window is ", "from 1 to 1000"),
    (["port: 1023", "port: 1e999"], "1: port is ", "from 1024 to 65000"),
    (["deadline: .nan", "deadline: 1e999"], "1: deadline is ", "a number from 0.01 to 60"),
    (["pace: 1"], "1: pace is 1", "one of true, false, auto"),
    (["window_memory: 256", "window_memory: 256 MX"], "1: window_memory is ", "a size from 1 MB to 1000 GB such as"),
    ([f"source: {value}" for value in ("true", "-1", "''", '"a\\0b"')], "1: source is ", SOURCE),
    (["source: a\nsources: {b: 0}"], "2: both source and sources", "keep one of them"),
    (["sources: {}"], "1: sources is an empty mapping", "1 to 10000 names, each with its source"),
    (["sources:\n  a: 0\n  b: [1]"], "3: sources.b is a list", SOURCE),
    (["sources:\n  a: 0\n  ..: 1"], "3: '..' is ", CHARACTERS),
    (["sources: {a/b: 1}"], "1: 'a/b' is ", CHARACTERS),
    (["sources: {door: 0, Logs: 1}"], "1: the source Logs", "rename it"),
    (["sources: {Door: 0, door: 1}"], "1: the sources Door and door", "differ only in case"),
    (["stages: [gender]"], "1: stages is a list", "the names of stages, each with its keys"),
    (["stages: {gender: off}"], "1: stages.gender is 'off'", STAGE_KEYS),
    (["stages: {gender: {model: }}"], "1: stages.gender.model is empty", "the path of a file"),
    (["stages: {glasses: {kind: attribute}}"], "1: stages.glasses", "'kind: attribute' and 'model: CARD'"),
    (["stages: {a: {kind: detector, model: x}}"], "1: stages.a.kind is 'detector'", "write attribute"),
    (["stages: {render: {}}"], "1: stages.render", "the name is taken by the program"),
    (["stages: {box: {kind: attribute, model: x}}"], "1: stages.box", "the name is taken by the program"),
    (["stages: {age: {}, age-1: {kind: attribute, model: x}}"], "1: stages.age-1", "what a process of stages.age is"),
    (["stages: {Gender: {}}"], "1: 'Gender' is no name", "1 to 32 of the characters a-z 0-9 _ -, a letter first"),
    (["stages: {detect: {detector: yunet}}"], "1: the detector yunet", "add --set stages.detect.model=FILE"),
    (["stages: {detect: {detector: haar, model: x}}"], "1: stages.detect.model", "the detector haar takes none"),
    (["stages: {detect: {model: y.onnx}}"], "1: stages.detect.model is 'y.onnx'", "the detector fast takes a card"),
    (["stages: {detect: {smallest_face: 0}}"], "1: stages.detect.smallest_face is 0", "above 0 up to 1, or auto"),
    (["stages: {detect: {threshold: 2}}"], "1: stages.detect.threshold is 2", "from 0 to 1, or auto"),
    (["stages: {detect: {haar: 5}}"], "1: stages.detect.haar is 5", "the keys step, neighbours"),
    (["stages: {detect: {haar: {step: 1}}}"], "1: stages.detect.haar.step is 1", "from 1.01 to 2"),
    (["stages: {detect: {haar: {neighbors: 5}}}"], "1: stages.detect.haar.neighbors", "(did you mean 'neighbours'?)"),
    (["stages: {age: {replicas: 65}}"], "1: stages.age.replicas is 65", "from 1 to 64, or auto"),
    (["render: none"], "1: render is 'none'", ", ".join(keys_of(Render))),
    (["render: {blur: true}"], "1: render.blur is true", "one of none, pixelate, blur"),
    (["render: {coast: -1}"], "1: render.coast is -1", "from 0 to 60"),
    (["render: {smooth: {age: -1}}"], "1: render.smooth", "seconds by stage, from 0 to 3600"),
    (["render: {smooth: {genre: 1}}"], "1: render.smooth.genre", "(did you mean 'gender'?)"),
    (["render: {annotated: yes}"], "1: render.annotated is 'yes'", "true or false"),
    (["render: {show: lates}"], "1: render.show is 'lates'", "latest or exact"),
    (["render: {output: 5}"], "1: render.output is 5", "the path of a folder, or null"),
    ([f"render: {{rotate: {value}}}" for value in ("3600", "0h", "1 hour", "-1h")], "1: render.rotate is ", "30m, 1h"),
    (["render: {rotate: 1h, keep: 7 apples}"], "1: render.keep is '7 apples'", "7d, or a size such as 500 MB or 20GB"),
    (["render: {keep: 7d}"], "1: render.keep is 7d", "write render.rotate too"),
    (["render: {rotate: 1h, keep: 30m}"], "1: render.keep, 30m, is shorter", "write a longer time"),
    (["render: {rotate: 1h, keep: 0 GB}"], "1: render.keep is 0 GB", "write a larger size"),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "where", "allowed"), MISTAKES, ids=[where for _, where, _ in MISTAKES])
def test_every_mistake_is_told_with_its_line_its_key_and_what_is_allowed(texts, where, allowed):
    for text in texts:
        sentence = error(text)
        assert sentence.startswith(f"pipeline.yaml:{where}") and allowed in sentence, sentence
        assert sentence.endswith(".") and "\n" not in sentence


def test_of_several_mistakes_the_first_is_told():
    assert error("render: {display: x}\nwindow: 0\nport: 1").startswith("pipeline.yaml:1: render.display is 'x';")
    assert error("window: 0\nrender: {display: x}\nport: 1").startswith("pipeline.yaml:1: window is 0;")


def test_a_long_value_is_cut_in_the_sentence():
    assert error(f"render: {{display: {'x' * 5000}}}") == (
        f"pipeline.yaml:1: render.display is '{'x' * 56}...; write one of auto, window, web, none."
    )


def test_sources_and_paths_have_a_limit():
    assert len(read_config(json.dumps({"sources": {f"s{i}": 0 for i in range(10_000)}}), "p").sources) == 10_000
    assert error(json.dumps({"sources": {f"s{i}": 0 for i in range(10_001)}})).startswith(
        "pipeline.yaml:1: sources is a mapping; write 1 to 10000 names"
    )
    assert len(read_config(f"source: {'x' * 4096}", "p").source) == 4096
    assert error(f"source: {'x' * 4097}").startswith("pipeline.yaml:1: source is 'xxx")


def test_a_file_that_holds_no_keys_is_refused():
    assert error("- a") == (
        "pipeline.yaml: the file is a list; write keys with their values, such as 'window: 16'."
    )  # fmt: skip


QUOTES = "put a value in quotes that has any of"
STRANGE_YAML = [
    ("window: 1\nport: 5000\nwindow: 2", "3: window stands here and already in line 1"),
    ("stages:\n  age: {}\n  age: {}", "3: age stands here and already in line 2"),
    ("a: *x", "1: anchors and aliases are not read"),
    ("source: *.mp4", f"1: this is not YAML: expected alphabetic or numeric character, but found '.'; .*{QUOTES}"),
    ("a: !!python/object/apply:os.system [ls]", "1: tags such as .*os.system are not read"),
    ("a: !!str 1", "1: tags such as .*:str are not read"),
    ("port: 5000\n---\nwindow: 2", "2: a second document begins here"),
    ("\n1: 2", "2: the key '1' is not a word"),
    ("true: 2", "1: the key 'true' is not a word"),
    ("? \n: 2", "1: a key is empty"),
    ("? [a]\n: 2", "1: a key is a list or a mapping"),
    ("a: " + "[" * 17, "1: the values are nested more than 16 deep"),
    ("[" * 200_000, "1: the values are nested more than 16 deep"),
    ("window: 1\nport: a: b", f"2: this is not YAML: mapping values are not allowed here; .*{QUOTES}"),
    ("window: 1\n\tport: 2", r"2: this is not YAML: found character '\\t' that cannot start any token"),
    ("window: [1,\n", "2: this is not YAML: expected the node content"),
    ("window: 1\nsource: a\x00", r"2: the character U\+0000 does not belong in a text"),
    ('source: "\\ud800"', "1: half of a surrogate pair is written as an escape"),
    ('source: "\\UFFFFFFFF"', "1: this is not YAML: a number in an escape or a directive is out of range"),
    ("#" * 1_000_001, "1: the text has 1000001 characters; at most 1000000 are read"),
]


@pytest.mark.parametrize(("text", "told"), STRANGE_YAML, ids=[told[:40] for _, told in STRANGE_YAML])
def test_yaml_that_could_surprise_is_refused(text, told):
    assert re.match(f"pipeline.yaml:{told}", error(text))


def test_words_of_older_yaml_are_texts():
    assert read_config("sources: {yes: off, a: 12:30, b: 2024-01-01, c: 0x10, d: .inf}", "p").sources == (
        {"yes": "off", "a": "12:30", "b": "2024-01-01", "c": "0x10", "d": ".inf"}
    )


# --- The command line ---


def test_set_changes_one_key_and_leaves_the_others():
    pipeline = read_config("window: 3", "p", ["stages.detect.detector=dlib", "stages.gender.replicas=2", "window=4"])
    assert list(pipeline.stages) == ["detect", "gender", "emotion", "age"]
    assert (pipeline.detect.detector, pipeline.replicas(1)["gender"], pipeline.window) == ("dlib", 2, 4)


def test_set_adds_a_stage_or_replaces_them_all():
    own = ["stages.glasses.kind=attribute", "stages.glasses.model=mine/glasses.yaml"]
    assert list(read_config("stages: {age: {}}", "p", own).stages) == ["detect", "age", "glasses"]
    assert list(read_config("", "p", ["stages={age: }"]).stages) == ["detect", "age"]


def test_the_last_set_of_a_key_counts():
    assert read_config("", "p", ["window=3", "window=4"]).window == 4


def test_a_source_of_the_command_line_replaces_those_of_the_file():
    assert read_config("sources: {a: 1, b: 2}", "p", ["source=0"]).all_sources() == {None: 0}
    assert read_config("source: 0", "p", ["sources.clip.mp4=clip.mp4"]).all_sources() == {"clip.mp4": "clip.mp4"}
    assert read_config("sources: {a: 1}", "p", ["sources.b=2"]).all_sources() == {"a": 1, "b": 2}


def test_another_detector_of_the_command_line_does_not_take_over_the_model_of_the_file():
    file = "stages: {detect: {detector: yunet, model: y.onnx}}"
    assert read_config(file, "p", ["stages.detect.detector=haar"]).detect.model is None
    assert read_config(file, "p", ["stages.detect.detector=yunet"]).detect.model == "y.onnx"
    overrides = ["stages.detect.model=c.dat", "stages.detect.detector=dlib-cnn"]
    assert read_config(file, "p", overrides).detect == Detect(detector="dlib-cnn", model="c.dat")
    assert read_config(file, "p", reversed(overrides)).detect == Detect(detector="dlib-cnn", model="c.dat")


def test_a_value_that_is_not_yaml_is_given_as_an_override():
    glob = Override("source", "*.mp4", "--source")
    assert read_config("", "p", [glob]).source == "*.mp4"


WRONG_OPTIONS = {
    "stages.detect.detector=harr": "--set stages.detect.detector is 'harr'; write one of fast",
    "stages.detect.detector=yunet": "--set stages.detect.detector: the detector yunet needs a model file; get face_",
    "window.x=1": "--set window.x: window is 3 and holds no keys.",
    "a.b.c.d=1": "--set a.b.c.d: a is not a key; write one of source, sources, ",
    "window": "--set window: write KEY=VALUE, such as --set stages.detect.detector=dlib.",
    "=5": "--set =5: write KEY=VALUE, such as --set stages.detect.detector=dlib.",
    "window=": "--set window is empty; write a whole number from 1 to 1000.",
    "source=*.mp4": "--set source: this is not YAML: ",
    "source=\udcff.mp4": "--set source: the character U+DCFF does not belong in a text; delete it.",
}


@pytest.mark.parametrize(("option", "sentence"), WRONG_OPTIONS.items(), ids=ascii)
def test_a_mistake_of_the_command_line_names_the_option(option, sentence):
    assert error("window: 3", option).startswith(sentence)


def test_a_mistake_of_a_short_option_names_that_option():
    assert error("", Override("render.display", "windw", "--display")) == (
        "--display: render.display is 'windw'; write one of auto, window, web, none (did you mean 'window'?)."
    )
    assert error("", Override("source", "\udcff.mp4", "--source")) == (
        "--source: this is not UTF-8; use a name that is."
    )  # fmt: skip


def test_a_section_that_is_set_as_a_whole_is_no_longer_that_of_the_file():
    assert error("render:\n  display: none", "render={display: some}") == (
        "--set render: render.display is 'some'; write one of auto, window, web, none."
    )


def test_source_and_sources_of_the_command_line_contradict_each_other():
    assert (
        error("", "source=0", "sources.a=1") == "--set sources.a: both source and sources are given; keep one of them."
    )


def test_a_mistake_of_the_file_is_told_before_one_of_the_command_line():
    assert error("port: 5000\nwindow: 0", "port=1").startswith("pipeline.yaml:2: window is 0;")


# --- Which part of a file is read ---


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90", 90), ("0.5", 0.5), ("1:30", 90), ("01:02:03", 3723), ("0:05.25", 5.25), ("'100:00:00'", 360_000)],
)
def test_a_time_in_a_video_is_seconds_or_minutes_and_seconds_or_with_hours_before_them(written, seconds):
    assert read_config(f"capture: {{start: {written}}}", "c.yaml").capture.start_s == seconds


@pytest.mark.parametrize("written", ["-1", "1:75", "noon", "1:2:3:4", "'90'", "true"])
def test_what_is_no_time_in_a_video_is_refused(written):
    with pytest.raises(ConfigError, match=r"capture.start is .*; write seconds from 0 on, or a time such as 1:30 or"):
        read_config(f"capture: {{start: {written}}}", "c.yaml")


def test_a_part_that_ends_before_it_begins_is_refused():
    with pytest.raises(ConfigError, match="capture.end, 60 s, is not after capture.start, 60 s"):
        read_config("capture: {start: 60, end: 1:00}", "c.yaml")
    assert read_config("capture: {start: 60, end: 1:01}", "c.yaml").capture.part == (60, 61, None)


# --- The page in the browser ---


@pytest.mark.parametrize(
    ("render", "port"),
    [("{}", None), ("{display: web}", 8600), ("{display: web, web: 9000}", 9000), ("{display: none, web: 9000}", 9000)],
)
def test_the_page_is_served_where_it_is_asked_for(render, port):
    assert read_config(f"render: {render}", "pipeline.yaml").render.web_port == port
