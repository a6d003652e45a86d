"""The command as a person uses it: options, sentences, exit statuses; with tiny stages in place of the real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

import facepipe
import run_pipeline
import stages.commands.run
import stages.run
from stages.config.schema import Attribute, ConfigError, Detect, Pipeline, Render
from stages.plan import Plan, find_models, processes_of, will_show
from stages.results import disk
from stages.results.manifest import Manifest
from stages.results.run_file import RunFile
from stages.running import preflight
from stages.transport.addresses import addresses, claim
from tests.sinks.test_damage import broken_off
from tests.supervision.stages_for_tests import SERVES, none_left, program

PROJECT = Path(run_pipeline.__file__).parent

CAPTURE = """
def main(settings, control):
    control.opened("clip.mp4", "2 frames")
    control.ready()
    assert settings.source.spec == "clip.mp4", settings.source
    control.report(CaptureReport(source="clip.mp4", captured=2, seconds=0.5))
"""
RENDER = """
from pathlib import Path

def main(settings, control):
    out = Path(settings.output)
    control.ready()
    serve(control)
    from stages.results.manifest import Manifest

    line = '{"source": "clip.mp4", "frame": %d, "time": %d.0, "width": 8, "height": 8, "faces": []}\\n'
    Manifest(out).write(out / "results.jsonl", "".join(line % (frame, frame) for frame in range(2)).encode())
    clip = SourceReport(rendered=2, faces=1, spent={"detect": 0.4})
    control.report(RenderReport(sources={"clip.mp4": clip}, outputs=[str(out / "results.jsonl")]))
"""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder with a clip, in which the command is given; its runtime directory is its own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"\0")  # The stages here do not read it.
    (tmp_path / "pipeline.yaml").write_text("source: clip.mp4\nstages: {detect: {replicas: 1}}\n")
    return tmp_path


@pytest.fixture
def command(here, monkeypatch):
    """Gives the command, in this process, with these stages: status of `command("--quiet", render=...)`."""

    def run(*options: str, **bodies: str) -> int:
        for stage, body in {"render": RENDER, "capture": CAPTURE, "detect": SERVES, **bodies}.items():
            program(here, f"stage_{stage}", body)
        monkeypatch.setattr(
            stages.run,
            "stage_command",
            lambda stage, *options: (sys.executable, str(here / f"stage_{stage}.py"), "--launched", *options),
        )
        with none_left():
            return run_pipeline.main(["--config", "pipeline.yaml", "--set", "render.output=out", *options])

    return run


def test_a_run_says_what_it_reads_what_came_of_it_and_where_it_is(command, here, capsys):
    assert command("--set", "stages.detect.replicas=2") == 0
    said = capsys.readouterr()
    assert said.err == "facepipe: clip.mp4, 2 frames, detector fast → out\n"
    assert said.out.splitlines() == [
        "2 frames, 1 face; no frame missing.",
        "4.0 frames/s, 0.5 s.",
        "Wrote out/results.jsonl.",
    ]
    assert sorted(path.name for path in (here / "out/logs").iterdir()) == [
        "capture.log",
        "detect-0.log",
        "detect-1.log",
        "render.log",
    ]
    summary = json.loads((here / "out/summary.json").read_text())
    assert (summary["status"], summary["failure"], summary["outputs"]) == (0, None, ["results.jsonl"])
    assert summary["sources"][0]["captured"] == 2
    assert summary["replicas"]["detect"] == 2
    assert not (here / "facepipe-5600").exists()


def test_logs_are_empty_but_for_what_goes_wrong_unless_more_is_asked_for(command, here):
    assert command("--quiet") == 0
    assert {path.read_text() for path in (here / "out/logs").iterdir()} == {""}
    assert command("--quiet", "--replace", "--log-level", "info") == 0
    for path in (here / "out/logs").iterdir():
        assert {line.split()[2] for line in path.read_text().splitlines()} == {"INFO"}


def test_quiet_says_nothing(command, capsys):
    assert command("--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_the_whole_account_is_printed_where_it_is_asked_for(command, capsys):
    assert command("-v") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split()[:3] == ["source", "frames", "faces"] and "clip.mp4: 2 captured = 2 rendered" in said
    assert said[-1] == "Wrote out/results.jsonl."


def test_settings_of_another_detector_are_said_to_change_nothing(command, capsys):
    assert command("--set", "stages.detect.haar.step=1.1") == 0
    assert "stages.detect.haar changes nothing: the detector is fast" in capsys.readouterr().err
    assert command("--set", "stages.detect.haar.step=1.1", "--detector", "haar", "--replace") == 0
    assert "changes nothing" not in capsys.readouterr().err


def test_that_a_record_keeps_what_blur_hides_is_said(command, capsys):
    said = "facepipe: trace keeps the pictures as they were read: what is hidden elsewhere is seen in it\n"
    assert command("--blur", "--record", "trace") == 0
    assert said in capsys.readouterr().err
    assert command("--record", "trace", "--replace") == 0
    assert said not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--detector", "haar"], "haar finds fewer turned and small faces than fast"),
        (["--set", "stages.detect.longest_side=320"], "leave stages.detect.longest_side out"),
        ([], None),
    ],
)
def test_that_blur_hides_less_than_it_could_is_said(command, capsys, options, said):
    assert command("--blur", *options) == 0
    err = capsys.readouterr().err
    assert said in err if said else "is not hidden" not in err


def test_a_source_that_is_a_result_of_an_earlier_run_is_refused_and_stays(command, here, capsys):
    assert command("--quiet") == 0
    annotated = here / "out/annotated/clip.mp4"
    Manifest(here / "out").write(annotated, b"\0")
    assert command("--source", "out/annotated/clip.mp4", "--replace") == 2
    assert capsys.readouterr().err == (
        "facepipe: out/annotated/clip.mp4 holds results of an earlier run that this one would replace;"
        " choose another folder with --output.\n"
    )
    assert annotated.exists() and (here / "out/results.jsonl").exists()
    assert json.loads((here / "out/summary.json").read_text())["status"] == 0


def test_a_finished_run_has_nothing_to_resume_and_another_source_is_not_taken_for_it(command, here, capsys):
    writes_run_file = RENDER.replace(
        "    control.report",
        "    from stages.results.run_file import RunFile\n"
        "    RunFile(settings.run, settings.inputs).write(out)\n    control.report",
    )
    assert command("--quiet", "--set", "render.annotated=false", render=writes_run_file) == 0
    capsys.readouterr()
    assert command("--resume", "--set", "render.annotated=false") == 0, capsys.readouterr().err
    assert capsys.readouterr().err == "facepipe: the run in out is finished; there is nothing to resume.\n"
    (here / "other.mp4").write_bytes(b"\0\0")
    for other in (["--source", "other.mp4"], ["--detector", "dlib"]):
        assert command("--resume", "--set", "render.annotated=false", *other) == 2
        said = capsys.readouterr().err
        assert "is finished" in said and "--replace" not in said


@pytest.mark.parametrize(
    ("left", "sentence"),
    [
        (None, "run.json is missing, so it is not known how the run in"),
        ("", "run.json is damaged, so it is not known how the run in"),
        ('{"run": "ab1', "results.jsonl holds 20 whole lines; put run.json back, --replace replaces all of it"),
        ("no JSON", "results.jsonl holds 20 whole lines; put run.json back, --replace replaces all of it"),
    ],
)
def test_results_whose_run_is_unknown_are_refused_and_stay(command, here, capsys, left, sentence):
    out = broken_off(here / "out", until=20)
    written = (out / "results.jsonl").read_bytes()
    RunFile("ab12").write(out)
    if left is None:
        (out / "run.json").unlink()
    else:
        (out / "run.json").write_text(left)
    for options in ([], ["--resume"]):
        assert command(*options) == 2
        assert sentence in capsys.readouterr().err
        assert (out / "results.jsonl").read_bytes() == written


def test_results_that_are_no_file_are_refused_and_not_waited_for(command, here, capsys):
    (here / "out").mkdir()
    (here / "out/run.json").write_text('{"run": "ab12", "inputs": {}, "incarnation": 1, "ended": null}')
    os.mkfifo(here / "out/results.jsonl")
    assert command("--resume") == 2
    assert "results.jsonl is no regular file; move it away" in capsys.readouterr().err
    assert sorted(path.name for path in (here / "out").iterdir()) == ["results.jsonl", "run.json"]


def test_a_mistyped_source_does_not_cost_the_results_of_an_earlier_run(command, here, capsys):
    assert command("--quiet") == 0
    for again in ("--replace", "--resume"):
        assert command("--source", "clop.mp4", again) == 2
        assert capsys.readouterr().err == (
            "facepipe: There is no file or folder clop.mp4 (did you mean clip.mp4?);"
            " write a path, a camera number, demo or auto.\n"
        )
    assert (here / "out/results.jsonl").exists()


def test_of_a_run_that_is_refused_before_its_first_frame_only_the_reason_is_told(command, capsys):
    opened = (
        "def main(s, l):\n  l.opened('clip.mp4', '2 frames'); l.ready(); serve(l)\n"
        "  l.report(CaptureReport(source='clip.mp4', captured=4))"
    )
    refuses = "def main(s, l): raise FacepipeError('this is no model.')"
    idle = "def main(s, l): l.ready(); serve(l)"
    assert command("--quiet", capture=opened, render=idle, detect=refuses) == 2
    assert command(capture=opened, render=idle, detect=refuses) == 2
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == "facepipe: this is no model."
    assert said.out == ""


def test_a_stage_that_fails_is_named_and_the_account_is_told_all_the_same(command, here, capsys):
    reads_on = "def main(s, l): l.ready(); serve(l)"
    assert command(detect="def main(s, l): l.ready(); sys.exit('no cascade')", capture=reads_on) == 1
    said = capsys.readouterr()
    assert said.err.startswith("facepipe: detect ended")
    last_words = "ended with status 1: SystemExit: no cascade, 5 times in a row without having finished anything"
    assert f"{last_words} (out/logs/detect.log" in said.err.splitlines()[-1]
    assert "2 frames" in said.out
    assert json.loads((here / "out/summary.json").read_text())["status"] == 1


def test_after_seconds_the_run_ends_with_0(command):
    stops = CAPTURE.replace("control.report", "serve(control); control.report")
    assert command("--seconds", "0.1", "--quiet", capture=stops) == 0


def test_of_a_place_that_is_taken_another_is_found_and_a_part_of_a_run_is_refused(command, here, capsys):
    with claim([addresses(5600, 1).render], 5600):
        assert command() == 0
        assert "port 5600 is in use, so this run uses 5601" in capsys.readouterr().err
        assert command("--only", "render", "--output", "parts") == 2
    assert "port 5600 is taken by another run" in capsys.readouterr().err
    assert not (here / "parts").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--detector", "harr"], "--detector harr"),
        (["--set", "windov=3"], "--set windov"),
        (["--set", "window"], "write KEY=VALUE"),
        (["--display", "wall"], "--display wall"),
        (["--web", "80"], "--web 80"),
        (["--web", "eight"], "--web eight"),
        (["--web-host", "no name"], "--web-host no name"),
        (["--only", "gender"], "--only gender: this pipeline has no such stage; it has render, capture, detect."),
        (["--once"], "and capture and render would be that run; name others with --only STAGE."),
        (["--only", "capture", "--once"], "and capture would be that run; name others with --only STAGE."),
        (["--config", "missing.yaml"], "missing.yaml does not exist; name the configuration with --config FILE."),
        (["--config", "."], "cannot be read: Is a directory"),
        (["--output", "clip.mp4"], "clip.mp4 is a file and not a folder; choose another folder with --output."),
    ],
)
def test_wrong_arguments_are_one_sentence_and_status_2(command, capsys, options, sentence):
    assert command(*options) == 2
    said = capsys.readouterr().err
    assert said.startswith("facepipe: ")
    assert sentence in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["a.mp4", "--source", "rtsp://anna:secret@door/1?token=x"],
            "a.mp4 and --source rtsp://door/1 are both given; leave one out.",
        ),
        (
            ["a.jpg", "b.jpg", "c.jpg"],
            "a.jpg and 2 more are given as source; name the folder, or a glob in quotes such as 'shots/*.jpg', or give"
            " each a name under sources in the configuration.",
        ),
        (["--source", "a.mp4", "--source", "b.mp4"], "--source is a.mp4 and b.mp4; leave one out."),
        (["--quiet", "-v"], "-v/--verbose: not allowed with argument --quiet; --help-all has all options."),
        (["--sorce", "clip.mp4"], "there is no option --sorce; did you mean --source?"),
        (["--style", "full"], "there is no option --style; write --set render.style=VALUE."),
        (["--xyz=3"], "there is no option --xyz; --help-all has all options."),
        (["--log-level", "loud"], "--log-level: loud is not a level; write debug, info, warning or error."),
        (["--seconds", "0"], "--seconds: 0 is not a number of seconds above 0; --help-all has all options."),
        (["--seconds", "abc"], "--seconds: abc is not a number of seconds above 0; --help-all has all options."),
        (["--source"], "--source: expected one argument; --help-all has all options."),
        (["--replace", "--resume"], "--resume: not allowed with argument --replace; --help-all has all options."),
    ],
)
def test_a_mistake_in_the_options_is_one_sentence_and_status_2(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as ended:
        run_pipeline.main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"facepipe: {sentence}\n"


def test_help_begins_with_the_source(capsys):
    with pytest.raises(SystemExit):
        run_pipeline.main(["--help"])
    assert capsys.readouterr().out.startswith("usage: run_pipeline.py [SOURCE] [OPTION ...]\n")


def test_an_option_that_does_not_exist_has_status_2():
    command = [sys.executable, "run_pipeline.py", "--windov"]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_seconds_must_be_a_number_above_0(seconds, capsys):
    with pytest.raises(SystemExit) as ended:
        run_pipeline.main([f"--seconds={seconds}"])
    assert ended.value.code == 2
    assert "--seconds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("moment", "name", "options", "status"),
    [
        ("this_host", "SIGINT", ["--check"], 130),
        ("read_pipeline", "SIGTERM", ["--check"], 143),
        ("check", "SIGTERM", ["--check", "--service"], 0),
    ],
)
def test_a_signal_before_anything_was_started_has_its_status_and_no_traceback(moment, name, options, status):
    lines = (
        "import os, signal, sys, stages.commands.run",
        "from stages.commands.process import as_a_program",
        f"stages.commands.run.{moment} = lambda *_: os.kill(os.getpid(), signal.{name})",
        "as_a_program(stages.commands.run.main, sys.argv[1:], '--service' in sys.argv)",
    )
    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(lines), *options], cwd=PROJECT, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (status, "")


def test_results_on_a_disk_that_does_not_answer_are_refused_before_anybody_waits_for_it(
    command, here, monkeypatch, capsys
):
    monkeypatch.setattr(disk, "_CHANGE", "import time; time.sleep(600)")
    monkeypatch.setattr(preflight, "ANSWER_S", 0.2)
    assert command("--output", "frozen") == 2
    assert "frozen cannot be used for the results: its file system has not answered for" in capsys.readouterr().err
    assert not (here / "frozen").exists()


# It stands for a server that is gone: who starts a process so is held in the kernel until that has begun, and takes no
# signal; this one begins by opening two pipes, and nobody writes to the second. Python's own way of calling it would
# hold the other threads too, which no file does.
HELD = """
import ctypes, os
made = os.mkdir
def mkdir(path, *more, **named):
    if os.path.basename(path) != "gone":
        return made(path, *more, **named)
    c, begins, words = ctypes.CDLL(None), ctypes.create_string_buffer(1024), (ctypes.c_char_p * 2)(b"true")
    c.posix_spawn_file_actions_init(begins)
    c.posix_spawn_file_actions_addopen(begins, 8, b"held", os.O_WRONLY, 0)
    c.posix_spawn_file_actions_addopen(begins, 9, b"waits", os.O_RDONLY, 0)
    c.posix_spawn(ctypes.byref(ctypes.c_int()), b"/bin/true", begins, None, words, words)
os.mkdir = mkdir
"""


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux starts processes")
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.long)]
)
def test_a_signal_ends_it_within_five_seconds_although_a_file_system_holds_it_in_the_kernel(here, number, status):
    (here / "sitecustomize.py").write_text(HELD)
    os.mkfifo(here / "held")
    os.mkfifo(here / "waits")
    with subprocess.Popen(
        [sys.executable, PROJECT / "run_pipeline.py", "--config", "pipeline.yaml", "--output", "gone"],
        env={**os.environ, "PYTHONPATH": str(here)},
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        os.close(os.open(here / "held", os.O_RDONLY))
        run.send_signal(number)
        sent_s = time.monotonic()
        try:
            ended = run.wait(20)
            took_s = time.monotonic() - sent_s
        finally:  # What was held goes on, and ends.
            os.close(os.open(here / "waits", os.O_RDWR))
        assert run.stderr.read().count("A file system does not answer.") == 1
    assert (ended, took_s < 5) == (status, True)


def test_debug_shows_where_an_error_comes_from(command, capsys):
    assert command("--debug", "--detector", "harr") == 2
    assert "Traceback" in capsys.readouterr().err


def test_the_version_is_that_of_the_project(capsys):
    with pytest.raises(SystemExit):
        run_pipeline.main(["--version"])
    assert capsys.readouterr().out == f"facepipe {facepipe.__version__}\n"


def test_a_source_on_the_command_line_is_taken_as_it_is_and_a_number_is_a_camera(here, monkeypatch):
    taken = []
    monkeypatch.setattr(stages.commands.run, "run", lambda pipeline, *_, **__: taken.append(pipeline.source) or 0)
    for text in ("0", "no", "1e3", "x: y", "²"):
        assert run_pipeline.main(["--source", text, "--config", "pipeline.yaml"]) == 0
    assert taken == [0, "no", "1e3", "x: y", "²"]


# --- --check ---


@pytest.fixture
def checked(here, monkeypatch, capsys):
    """Gives what `--check` says, in lines; the source is a picture that can be opened."""
    (here / "pipeline.yaml").write_text("source: face.png\nstages: {gender: {}, age: {}}\n")
    cv2.imwrite("face.png", np.zeros((64, 48, 3), np.uint8))

    def check(*options: str) -> list[str]:
        assert run_pipeline.main(["--config", "pipeline.yaml", "--check", *options]) == 0
        return capsys.readouterr().out.splitlines()

    return check


def test_check_ends_with_what_is_right_and_what_only_a_run_tells(checked, here):
    said = checked()
    assert [line.split(":")[0].split(" ")[0] for line in said] == [
        "source",
        "detector",
        "gender",
        "age",
        "output",
        "checked",
    ]
    assert said[0] == "source face.png: 48 x 64"
    assert said[2].endswith("models/gender.yaml, faces scaled to 96 x 96 pixels")
    assert said[-1] == (
        "checked and correct: configuration, sources, cards; only a run tells whether the models load,"
        " the port is free, the output can be written, a window opens"
    )
    assert checked("--display", "none")[-1].endswith("the port is free, the output can be written")
    assert checked("--display", "web")[-1].endswith("the output can be written, the page's port is free")
    assert not (here / "out").exists()


@pytest.mark.parametrize("detector", ["yunet", "dlib-cnn"])
def test_check_refuses_a_file_that_is_no_detector(here, capsys, detector):
    (here / "net").write_bytes(b"not one")
    only = ["--config", "pipeline.yaml", "--check", "--only", "detect", "--detector", detector]
    assert run_pipeline.main([*only, "--set", "stages.detect.model=net"]) == 2
    said = capsys.readouterr().err
    assert str(here / "net") in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("options", [["--check"], []], ids=["--check", "a run"])
def test_an_encoder_that_does_not_work_here_is_refused_before_anything_is_made(here, capsys, options):
    from stages.sinks.encoders import ENCODERS, failure

    absent = next(name for name in ENCODERS if failure(name, (640, 360)))
    cv2.imwrite("face.png", np.zeros((64, 48, 3), np.uint8))
    asked, before = ["--source", "face.png", "--set", f"render.encoder={absent}"], sorted(os.listdir(here))
    assert run_pipeline.main([*asked, *options]) == 2
    said = capsys.readouterr().err
    assert f"render.encoder is {absent}, which does not work on this machine" in said and "software" in said
    assert sorted(os.listdir(here)) == before
    assert run_pipeline.main([*asked, "--set", "render.annotated=false", "--check"]) == 0  # There is no video.


def test_check_refuses_a_card_whose_file_is_missing_or_another(here, capsys):
    (here / "net.tflite").write_bytes(b"another")
    card = (PROJECT / "models/gender.yaml").read_text()
    (here / "card.yaml").write_text(card.replace("file: gender.tflite", "file: net.tflite"))
    (here / "pipeline.yaml").write_text("stages: {gender: {model: card.yaml}}\n")
    only = ["--config", "pipeline.yaml", "--check", "--only", "gender"]
    assert run_pipeline.main(only) == 2
    assert "card.yaml: sha256 is " in capsys.readouterr().err
    (here / "net.tflite").unlink()
    assert run_pipeline.main(only) == 2
    assert "net.tflite, which does not exist; put the model there." in capsys.readouterr().err


def test_check_refuses_a_card_of_another_stage_and_a_model_that_nothing_runs(here, capsys):
    only = ["--config", "pipeline.yaml", "--check", "--only", "gender"]
    (here / "pipeline.yaml").write_text(f"stages: {{gender: {{model: {PROJECT / 'models/age-small.yaml'}}}}}\n")
    assert run_pipeline.main(only) == 2
    assert "age-small.yaml, whose card is named age-small; name a card for gender" in capsys.readouterr().err
    (here / "net.onx").write_bytes(b"anything")
    card = (PROJECT / "models/gender.yaml").read_text()
    lines = [line for line in card.splitlines() if not line.startswith("sha256")]
    (here / "card.yaml").write_text("\n".join(lines).replace("file: gender.tflite", "file: net.onx"))
    (here / "pipeline.yaml").write_text("stages: {gender: {model: card.yaml}}\n")
    assert run_pipeline.main(only) == 2
    assert "file is net.onx, of no known kind" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["nothing in it", "a folder", "a link to something else", "30 GB"])
def test_check_refuses_a_model_that_cannot_be_one_of_its_kind(here, capsys, kind):
    net = here / "net.tflite"
    if kind == "a folder":
        net.mkdir()
    elif kind == "a link to something else":
        net.symlink_to("/etc/passwd")
    else:
        net.touch()
        os.truncate(net, 30_000_000_000 if kind == "30 GB" else 0)
    card = (PROJECT / "models/gender.yaml").read_text()
    lines = [line for line in card.splitlines() if not line.startswith("sha256")]
    (here / "card.yaml").write_text("\n".join(lines).replace("file: gender.tflite", "file: net.tflite"))
    (here / "pipeline.yaml").write_text("stages: {gender: {model: card.yaml}}\n")
    assert run_pipeline.main(["--config", "pipeline.yaml", "--check", "--only", "gender"]) == 2
    said = capsys.readouterr().err
    assert "net.tflite" in said and "put the right file there" in said and said.count("\n") == 1


def test_a_configuration_may_come_out_of_a_pipe_and_one_that_nobody_writes_to_is_refused(here, capsys):
    read, write = os.pipe()
    os.write(write, b"stages: {gender: {}}\n")
    os.close(write)
    assert run_pipeline.main(["--config", f"/dev/fd/{read}", "--check", "--source", "demo"]) in (0, 2)
    os.close(read)
    assert "cannot be read" not in capsys.readouterr().err
    os.mkfifo(here / "pipe")
    assert run_pipeline.main(["--config", "pipe", "--check"]) == 2
    assert "pipe cannot be read: it is a pipe to which nobody writes" in capsys.readouterr().err


def test_a_device_is_no_configuration(capsys):
    assert run_pipeline.main(["--config", "/dev/zero", "--check"]) == 2
    assert "/dev/zero cannot be read: it is a device and not a file" in capsys.readouterr().err


def test_of_a_huge_configuration_no_more_is_read_than_one_may_have(here, capsys):
    (here / "huge.yaml").touch()
    os.truncate(here / "huge.yaml", 30_000_000_000)
    assert run_pipeline.main(["--config", "huge.yaml", "--check"]) == 2
    assert "at most 1000000 are read" in capsys.readouterr().err


def test_check_looks_at_nothing_that_is_not_started_here(checked, here):
    (here / "face.png").unlink()
    said = checked("--only", "gender")
    assert len(said) == 2 and said[0].startswith("gender: ")
    assert (
        said[1]
        == "checked and correct: configuration, cards; only a run tells whether the models load, the port is free"
    )
    assert run_pipeline.main(["--config", "pipeline.yaml", "--check", "--only", "glasses"]) == 2


# --- What is decided before a process is started ---


def test_render_and_capture_are_started_first_and_replicas_are_numbered():
    assert list(processes_of(Pipeline(), None, cores=2)) == [
        "render",
        "capture",
        "detect-0",
        "detect-1",
        "gender",
        "emotion",
        "age",
    ]
    assert processes_of(Pipeline(sources={"a": 0, "b": 1}), ["capture"], 2) == {
        "capture-0": ("capture", 0),
        "capture-1": ("capture", 1),
    }


def test_helpers_say_that_they_wait_and_for_what_and_leave_no_log(command, here, capsys):
    assert command("--only", "detect", "--once", detect="def main(s, l): l.ready()") == 0
    said = capsys.readouterr().err
    assert said == "facepipe: waiting for the run on port 5600, to help it with detect; Ctrl-C ends this\n"
    assert not (here / "out").exists()


def test_each_run_has_a_folder_of_its_own_unless_one_is_named(command, here, capsys):
    for name in ("clip", "clip-2"):
        assert command("--set", "render.output=null") == 0
        assert f" → out/{name}\n" in capsys.readouterr().err
    first = (here / "out/clip/results.jsonl").stat().st_ino
    assert command("--output", "out/clip") == 2
    assert "--replace replaces" in capsys.readouterr().err
    assert (here / "out/clip/results.jsonl").stat().st_ino == first
    assert command("--output", "out/clip", "--replace") == 0


def test_replace_without_a_folder_replaces_the_run_that_resume_would_go_on_with(command, here, capsys):
    begins = RENDER.replace(
        "    serve(control)\n",
        "    serve(control)\n    from stages.results.run_file import RunFile\n"
        "    OutputFolder.at(out, ()).clear()\n    RunFile(settings.run, settings.inputs).write(out)\n",
    ).replace("from pathlib", "from stages.results.output_folder import OutputFolder\nfrom pathlib")
    new = ("--set", "render.output=null")
    assert command(*new, render=begins) == 0
    (here / "out/clip/notes.txt").write_text("mine")
    assert command(*new, "--resume", "--detector", "dlib", render=begins) == 2
    assert "the run in out/clip is finished" in capsys.readouterr().err
    before = json.loads((here / "out/clip/run.json").read_text())["run"]
    assert command(*new, "--replace", "--detector", "dlib", render=begins) == 0
    assert " → out/clip\n" in capsys.readouterr().err
    assert [path.name for path in (here / "out").iterdir()] == ["clip"]
    assert (here / "out/clip/notes.txt").read_text() == "mine"
    assert json.loads((here / "out/clip/run.json").read_text())["run"] != before


def test_replace_without_a_folder_makes_one_where_there_is_no_run_of_this_source(command, here, capsys):
    assert command("--set", "render.output=null", "--replace") == 0
    assert " → out/clip\n" in capsys.readouterr().err


def test_a_run_that_is_refused_leaves_no_folder(command, here):
    refuses = "def main(s, l): raise FacepipeError(f'there is no {s.source.spec}.')"
    assert command("--set", "render.output=null", capture=refuses, render=SERVES) == 2
    assert not (here / "out").exists()
    assert command("--output", "a/b", capture=refuses, render=SERVES) == 2
    assert not (here / "a").exists()
    assert command("--record", "trace", capture=refuses, render=SERVES) == 2
    assert not (here / "trace").exists()
    (here / "mine").mkdir()
    assert command("--output", "mine", capture=refuses, render=SERVES) == 2
    assert list((here / "mine").iterdir()) == []


def test_a_window_without_a_screen_is_refused_before_anything_is_announced_or_made(command, here, monkeypatch, capsys):
    monkeypatch.setattr(stages.run, "launch", fails_to_start)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert command("--display", "window", "--set", "render.output=null") == 2
    assert capsys.readouterr().err == (
        "facepipe: a window was asked for, but there is no screen (DISPLAY is not set); --display none does without,"
        " auto opens one where it is possible.\n"
    )
    assert not (here / "out").exists()


@pytest.mark.parametrize("opens", ["", "l.opened(source='camera0', description='a camera', live=True); l.ready(); "])
def test_a_run_that_is_stopped_before_anything_was_read_leaves_nothing(command, here, opens):
    stopped = f"def main(s, l): {opens}os.kill(os.getppid(), signal.SIGTERM); serve(l)"
    said = "def main(s, l): l.ready(); print('a word for the log'); serve(l)"
    assert command("--set", "render.output=null", capture=stopped, render=said) == 143
    assert command("--output", "a/b", capture=stopped, render=said) == 143
    assert not (here / "out").exists() and not (here / "a").exists()
    (here / "mine").mkdir()
    assert command("--output", "mine", capture=stopped, render=said) == 143
    assert list((here / "mine").iterdir()) == []


def test_a_run_that_is_stopped_before_anything_was_read_leaves_what_an_earlier_one_left(command, here):
    assert command("--quiet") == 0
    before = {path: path.read_bytes() for path in (here / "out").glob("*.json*")}
    stopped = "def main(s, l): os.kill(os.getppid(), signal.SIGTERM); serve(l)"
    assert command("--replace", capture=stopped, render=SERVES) == 143
    assert {path: path.read_bytes() for path in (here / "out").glob("*.json*")} == before


def fails_to_start(*_, **__):
    raise AssertionError("a process was started")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["nothere.mp4"], "There is no file or folder nothere.mp4"),
        (["nothere.mp4", "--only", "capture"], "There is no file or folder nothere.mp4"),
        (["*.mov"], "The glob *.mov matches no picture and no video"),
        (["--set", "stages={age: {model: no.yaml}}"], "stages.age.model is 'no.yaml', but there is no "),
        (["--output", "clip.mp4"], "clip.mp4 is a file and not a folder; choose another folder with --output."),
        (["--output", "clip.mp4/x"], "clip.mp4 is a file and not a folder; choose another folder with --output."),
        (["--record", "no/trace"], "--record no/trace: there is no folder no; make it first."),
        (["--record", "clip.mp4"], "--record clip.mp4: this file is there already; choose another one."),
    ],
)
def test_a_mistake_is_told_before_anything_is_started_or_made(command, here, monkeypatch, capsys, options, sentence):
    before = sorted(here.iterdir())
    monkeypatch.setattr(stages.run, "launch", fails_to_start)
    assert command(*options) == 2
    [said] = capsys.readouterr().err.splitlines()
    assert sentence in said
    programs = {here / f"stage_{stage}.py" for stage in ("render", "capture", "detect")}
    assert sorted({*here.iterdir()} - programs) == before


def test_of_several_sources_each_is_looked_at(command, here, monkeypatch, capsys):
    (here / "pipeline.yaml").write_text("sources: {a: clip.mp4, b: no.mp4}\n")
    monkeypatch.setattr(stages.run, "launch", fails_to_start)
    assert command() == 2
    assert capsys.readouterr().err.startswith("facepipe: There is no file or folder no.mp4")


def test_a_helper_need_not_have_what_the_run_reads(command):
    assert command("nothere.mp4", "--only", "detect", "--once", detect="def main(s, l): l.ready()") == 0


def test_helpers_of_a_run_started_elsewhere_do_not_take_its_numbers():
    pid = os.getpid()
    assert processes_of(Pipeline(), ["gender"], 1) == {f"gender-{pid}": ("gender", pid)}


def test_a_model_counts_from_the_configuration_and_then_from_the_project(tmp_path):
    pipeline = Pipeline(stages={"detect": Detect(), "glasses": Attribute(model="tests/__init__.py")})
    assert find_models(pipeline, tmp_path) == {"glasses": str(PROJECT / "tests/__init__.py")}
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/__init__.py").touch()
    assert find_models(pipeline, tmp_path) == {"glasses": str(tmp_path / "tests/__init__.py")}


def test_a_model_that_is_not_there_is_refused_with_every_place_that_was_looked_at(tmp_path):
    pipeline = Pipeline(stages={"detect": Detect(), "glasses": Attribute(model="mine/g.yaml")})
    with pytest.raises(ConfigError) as refusal:
        find_models(pipeline, tmp_path)
    assert str(refusal.value) == (
        f"stages.glasses.model is 'mine/g.yaml', but there is no {tmp_path}/mine/g.yaml nor {PROJECT}/mine/g.yaml;"
        " write the path of its file."
    )


@pytest.mark.parametrize(
    ("display", "environment", "platform", "shows"),
    [
        ("auto", {}, "linux", False),
        ("auto", {"DISPLAY": ":0"}, "linux", True),
        ("auto", {"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ("auto", {}, "darwin", True),
        ("none", {"DISPLAY": ":0"}, "linux", False),
        ("window", {}, "linux", True),
        ("web", {}, "linux", True),
    ],
)
def test_a_file_is_read_at_its_own_speed_where_somebody_is_shown_it(display, environment, platform, shows):
    assert will_show(display, environment, platform) is shows


def test_pace_is_what_the_configuration_says(tmp_path, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    only_detect = {"detect": Detect()}
    for pace, paced in ((True, True), (False, False), ("auto", True)):
        plan = Plan.of(Pipeline(pace=pace, stages=only_detect), tmp_path)
        assert plan.settings("capture", 0).source.paced is paced
    streamed = Pipeline(stages=only_detect, render=Render(display="none", stream="live.m3u8"))
    assert Plan.of(streamed, tmp_path).settings("capture", 0).source.paced
