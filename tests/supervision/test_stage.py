"""A stage that is started by hand, or by somebody else's supervisor: without a launcher."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stages.program import LOG_DATE, LOG_FORMAT, as_a_stage_says
from stages.protocol.control import StageHeartbeat
from stages.results.manifest import Manifest
from stages.results.run_file import RunFile
from stages.supervision.stage import ControlChannel
from stages.supervision.stage_log import last_words
from tests.supervision.stages_for_tests import HEAD, PROJECT

MAIN = """
def main(settings, control):
    control.ready()
    control.say(f"{settings.stage} {settings.replica} of window {settings.pipeline.window}")
    control.progress(CaptureReport(source="a", captured=3))
    serve(control)
    control.report(RenderReport())

run_stage(main, stage="STAGE")
"""


@pytest.fixture
def by_hand(tmp_path, monkeypatch):
    """Starts a stage as a person would; gives the process."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    (tmp_path / "pipeline.yaml").write_text("stages: {}")
    started = []

    def start(stage: str, *options: str, main: str = MAIN) -> subprocess.Popen:
        path = tmp_path / "stage.py"
        path.write_text(HEAD + main.replace("STAGE", stage))
        command = [sys.executable, str(path), "--config", str(tmp_path / "pipeline.yaml"), *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=tmp_path, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="these are the signals of Unix")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_says_its_sentences_on_stderr_and_a_signal_ends_it_in_order(by_hand, number, status):
    stage = by_hand("detect", "--replica", "7", "--set", "window=3")
    assert stage.stderr.readline() == "facepipe: detect 7 of window 3\n"
    stage.send_signal(number)
    out, err = stage.communicate(timeout=20)
    assert (stage.returncode, out, err) == (status, "", "")


def test_a_worker_takes_its_process_number_for_its_replica(by_hand):
    stage = by_hand("detect")
    assert stage.stderr.readline() == f"facepipe: detect {stage.pid} of window 16\n"


def test_a_capture_and_render_hold_their_addresses(by_hand, tmp_path):
    render = by_hand("render")
    assert render.stderr.readline() == "facepipe: results go to out/auto\n"
    assert render.stderr.readline() == "facepipe: render 0 of window 16\n"
    second = by_hand("render")
    _, err = second.communicate(timeout=20)
    refusal = (
        f"facepipe: port 5600 is taken by another run (process {render.pid}); choose another one: --set port=5700.\n"
    )
    assert (second.returncode, err) == (2, refusal)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["auto"]


def test_a_render_of_which_nothing_has_come_leaves_nothing(by_hand, tmp_path):
    render = by_hand("render")
    assert render.stderr.readline() == "facepipe: results go to out/auto\n"
    assert (tmp_path / "out/auto").is_dir()
    render.send_signal(signal.SIGTERM)
    render.communicate(timeout=20)
    assert render.returncode == 143
    assert not (tmp_path / "out").exists()


def test_a_render_that_is_told_a_folder_with_a_finished_run_says_what_helps_a_stage(by_hand, tmp_path):
    Manifest(tmp_path / "mine").write(tmp_path / "mine/results.jsonl", b"")
    RunFile("ab12", {}, 1, "finished").write(tmp_path / "mine")
    render = by_hand("render", "--set", "render.output=mine")
    _, err = render.communicate(timeout=20)
    assert render.returncode == 2
    helps = "choose another folder with --set render.output=DIR"
    assert err == f"facepipe: {tmp_path}/mine holds a run that is finished; {helps}.\n"


@pytest.mark.parametrize(
    ("of_a_run", "of_a_stage"),
    [
        (
            "x holds a run that is stopped; --resume continues it, --replace replaces it, another --output keeps it.",
            "x holds a run that is stopped; choose another folder with --set render.output=DIR.",
        ),
        (
            "cannot write x: No space left on device; make room or choose another folder with --output.",
            "cannot write x: No space left on device; make room or choose another folder with --set render.output=DIR.",
        ),
        (
            "a.mp4 was changed while it was read: what is written so far is of the file that it was; --replace begins"
            " anew.",
            "a.mp4 was changed while it was read: what is written so far is of the file that it was; choose another"
            " folder with --set render.output=DIR.",
        ),
        ("There is no camera 3; --source 0 chooses another.", "There is no camera 3; --set source=0 chooses another."),
        (
            "a window was asked for, but there is no screen; --display none does without.",
            "a window was asked for, but there is no screen; --set render.display=none does without.",
        ),
        ("port 5600 is taken; choose another one: --set port=5700.",) * 2,
        ("clip.mp4 continues at frame 3",) * 2,
    ],
)
def test_a_sentence_names_what_a_stage_has(of_a_run, of_a_stage):
    assert as_a_stage_says(of_a_run) == of_a_stage


@pytest.mark.parametrize(
    ("stage", "options", "words"),
    [
        ("detect", ["--set", "windov=3"], "windov"),
        ("detect", ["--config", "/nowhere/pipeline.yaml"], "/nowhere/pipeline.yaml does not exist"),
        ("gender", [], "this pipeline has no stage 'gender'; it has capture, detect, render."),
        ("capture", ["--replica", "1"], "this pipeline has no source number 1; it has 1, counted from 0."),
    ],
)
def test_what_is_wrong_is_one_sentence_and_status_2(by_hand, stage, options, words):
    process = by_hand(stage, *options)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert words in err
    assert err.count("\n") == 1


def test_the_log_level_says_how_much_is_logged_with_time_and_level(by_hand):
    stage = by_hand("detect", "--replica", "7", "--log-level", "info")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO stages\.[\w.]+: ready\n", stage.stderr.readline())
    assert stage.stderr.readline() == "facepipe: detect 7 of window 16\n"


@pytest.mark.parametrize(
    ("level", "words"), [(logging.INFO, None), (logging.WARNING, None), (logging.ERROR, "the model is away")]
)
def test_the_last_words_of_a_stage_are_no_line_below_an_error(level, words):
    record = logging.LogRecord("stages.detect", level, "", 0, "the model is away.", None, None)
    assert last_words(["  ", logging.Formatter(LOG_FORMAT, LOG_DATE).format(record)]) == words


def test_an_error_of_the_program_itself_has_a_traceback_and_status_1(by_hand):
    process = by_hand("detect", main="def main(s, l): [].pop()\nrun_stage(main, stage='STAGE')")
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err.rstrip().endswith("IndexError: pop from empty list")


OF_MSGSPEC = "typing_extensions"  # where it is installed


def test_a_stage_imports_only_msgspec_before_its_own_module_asks_for_more():
    listed = "import sys, stages.supervision.stage; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", listed], cwd=PROJECT, capture_output=True, text=True, check=True)
    foreign = {name.partition(".")[0] for name in loaded.stdout.split()} - sys.stdlib_module_names
    # site-packages may load hooks of its own at every start of Python.
    empty = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert foreign - {name.partition(".")[0] for name in empty.stdout.split()} - {OF_MSGSPEC} == {"stages", "msgspec"}


def test_opencv_opens_no_picture_larger_than_ours_may_be_whoever_loads_it_first():
    program = (
        "import numpy as np\nfrom stages.protocol.limits import PICTURE_PIXELS\nimport os, cv2\n"
        "assert os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'] == str(PICTURE_PIXELS)\n"
        "try:\n    cv2.imdecode(np.frombuffer(b'P5 20000 20000 255\\n', np.uint8), 1)\n"
        "except cv2.error as error:\n    print(error.func)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "validateInputImageSize" in ran.stdout + ran.stderr


def test_the_launcher_imports_neither_opencv_nor_zmq_nor_av_nor_tensorflow():
    listed = "import sys, run_pipeline; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", listed], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert not {"cv2", "zmq", "av", "tensorflow", "numpy"} & set(loaded.stdout.split())


def test_the_folder_in_which_a_stage_is_started_cannot_take_the_place_of_ours(tmp_path):
    from stages.supervision.child import stage_command

    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "__init__.py").write_text("raise SystemExit('the wrong stages')")
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    command = stage_command("detect")
    asked = [*command[: command.index("-m")], "-c", "import json, stages; print(stages.__file__)"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    ran = subprocess.run(asked, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (ran.stdout.strip(), ran.stderr) == (str(PROJECT / "stages" / "__init__.py"), "")


def test_a_stage_of_the_users_own_is_an_attribute_stage():
    from stages.supervision.child import stage_command

    assert stage_command("glasses")[-2:] == ("stages.attribute", "--launched")
    assert stage_command("plan")[-2:] == ("stages.attribute", "--launched")
    assert stage_command("gender")[-2:] == ("stages.gender", "--launched")
    assert Path(PROJECT / "stages" / "gender.py").exists()


def test_what_takes_long_is_done_while_the_stage_shows_that_it_is_alive():
    beaten = threading.Event()
    control = ControlChannel(lambda message: beaten.set() if isinstance(message, StageHeartbeat) else None)

    def work() -> str:
        assert beaten.wait(20)  # Ends only once a heartbeat has been heard meanwhile.
        return "done"

    assert control.run_with_heartbeat(work) == "done"


def test_what_goes_wrong_meanwhile_is_raised():
    def work() -> None:
        raise ValueError("the disk is full")

    with pytest.raises(ValueError, match="the disk is full"):
        ControlChannel(lambda message: None).run_with_heartbeat(work)
