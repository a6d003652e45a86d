"""The launcher with real processes: they die, refuse, hang, do not listen, print garbage, and none is ever left."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue

import psutil
import pytest

from stages.config.settings import Settings
from stages.errors import FacepipeError
from stages.protocol.control import SourceOpened
from stages.protocol.stats import CaptureReport, RenderReport
from stages.results.manifest import Manifest
from stages.supervision.child import CannotStart, Child
from stages.supervision.launcher import Outcome, launch
from stages.supervision.stage_log import StageLog
from tests.supervision.stages_for_tests import (
    CAPTURES,
    DEAF,
    SERVES,
    LauncherProcess,
    Seen,
    none_left,
    program,
    run,
    settings,
    start,
)


def last_reports(outcome: Outcome) -> dict[str, CaptureReport | RenderReport]:
    """What each process reported last."""
    return {label: list(lives.values())[-1] for label, lives in sorted(outcome.reports.items())}


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these stages are killed with signals")


def test_a_run_ends_when_its_captures_have_ended_and_every_stage_has_reported(tmp_path):
    view = Seen()
    outcome = run(tmp_path, view, render=SERVES, capture=CAPTURES, gender=SERVES)
    assert (outcome.status, outcome.sentence) == (0, None)
    assert last_reports(outcome) == {
        "render": RenderReport(notes=["render"]),
        "capture": CaptureReport(source="clip.mp4", captured=3),
        "gender": RenderReport(notes=["gender"]),
    }
    assert view.sources == [SourceOpened("clip.mp4", "3 frames")]


def test_a_view_hears_how_far_a_process_came_also_after_its_last_progress(tmp_path):
    """Where one film of several is done, its line says all of its frames while the others go on."""
    view = Seen()
    outcome = run(tmp_path, view, render=SERVES, capture=CAPTURES)
    assert view.reports["capture"] == CaptureReport(source="clip.mp4", captured=3)
    assert view.reports == last_reports(outcome)


def first(deed: str, then: str = "") -> str:
    """A stage that is ready, does something in its first life, and serves in its second."""
    return (
        "def main(s, l):\n"
        "  l.ready(); mark = sys.argv[0] + '.lived'; lived = os.path.exists(mark); open(mark, 'w').close()\n"
        f"  if not lived: {deed}\n"
        f"  {then or 'pass'}\n"
        "  l.say('back'); open(sys.argv[0] + '.back', 'w').close(); serve(l)\n"
        "  l.report(RenderReport(notes=['second life']))\n"
    )


CAPTURES_UNTIL_BACK = """
def main(s, l):
    l.ready()
    while not (gone := list(l.gone())):
        l.heartbeat(); time.sleep(0.01)
    l.say(f"{gone[0].stage} {gone[0].replica} {gone[0].cause}")
    here = os.path.dirname(sys.argv[0])
    while not any(name.endswith(".back") for name in os.listdir(here)):
        l.heartbeat(); time.sleep(0.01)
    l.report(CaptureReport(source="clip.mp4", captured=3))
"""


@pytest.mark.parametrize(
    ("deed", "cause", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed", "age was killed by SIGKILL"),
        ("[].pop()", "exit", "age ended with status 1: IndexError: pop from empty list"),
        (
            "import ctypes; ctypes.string_at(0)",
            "exit",
            "age was killed by SIGSEGV: Fatal Python error: Segmentation fault",
        ),
        ("time.sleep(600)", "hang", "age hung"),
    ],
    ids=["killed", "exception", "crash", "hang"],
)
def test_a_stage_that_ends_is_told_to_capture_and_started_again(tmp_path, deed, cause, words):
    view, age = Seen(), first(deed, "l.say(f'former lives: {[cause for _, cause in s.ended]}')")
    outcome = run(tmp_path, view, render=SERVES, capture=CAPTURES_UNTIL_BACK, age=age, hang_s=1.5)
    assert (outcome.status, outcome.sentence, outcome.restarts) == (0, None, {"age": 1})
    assert f"{words}; it is started again ({tmp_path}/age.log)." in view.said
    assert f"age 0 {cause}" in view.said and "back" in view.said
    assert f"former lives: ['{cause}']" in view.said
    assert last_reports(outcome)["age"] == RenderReport(notes=["second life"])


def test_render_knows_how_often_each_stage_was_started_again_also_when_it_was_itself(tmp_path):
    reports = """
def main(s, l):
    l.ready()
    while len(l.restarts) < 1 + s.life:
        l.heartbeat(); time.sleep(0.01)
    if not s.life:
        os.kill(os.getpid(), signal.SIGKILL)
    open(sys.argv[0] + ".knows", "w").close()
    serve(l)
    l.report(RenderReport(refused=l.restarts))
"""
    capture = """
def main(s, l):
    l.ready()
    while not any(name.endswith(".knows") for name in os.listdir(os.path.dirname(sys.argv[0]))):
        l.heartbeat(); time.sleep(0.01)
"""
    outcome = run(tmp_path, render=reports, capture=capture, age=first("os.kill(os.getpid(), signal.SIGKILL)"))
    assert last_reports(outcome)["render"].refused == {"age": 1, "render": 1}


def test_the_log_of_a_former_life_is_kept_and_its_last_words_are_not_those_of_the_next(tmp_path):
    view = Seen()
    twice = first("[].pop()", "os.path.exists(mark + '2') or (open(mark + '2', 'w').close(), os.kill(os.getpid(), 9))")
    outcome = run(tmp_path, view, render=SERVES, capture=CAPTURES_UNTIL_BACK, age=twice)
    assert outcome.restarts == {"age": 2}
    assert f"age was killed by SIGKILL; it is started again ({tmp_path}/age.log)." in view.said
    assert "IndexError" in (tmp_path / "age.log").read_text()


def test_a_stage_that_always_ends_stops_everything_with_its_last_words(tmp_path):
    outcome = run(tmp_path, render=SERVES, capture=SERVES, gender="def main(s, l): l.ready(); [].pop()")
    assert outcome.status == 1
    assert outcome.sentence == (
        "gender ended with status 1: IndexError: pop from empty list, 5 times in a row without having finished anything"
        f" ({tmp_path}/gender.log)."
    )
    assert "render" in outcome.reports  # it closed its outputs


def test_a_stage_that_refuses_what_it_was_told_ends_the_run_with_2_and_its_sentence(tmp_path):
    refuses = "def main(s, l): raise FacepipeError('emotion.yaml:3: there is no such file.')"
    outcome = run(tmp_path, render=SERVES, capture=SERVES, emotion=refuses)
    assert (outcome.status, outcome.sentence) == (2, "emotion.yaml:3: there is no such file.")


def test_a_stage_that_is_deaf_to_stop_and_to_sigterm_is_killed_and_its_children_with_it(tmp_path):
    child = "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    view = Seen()
    deaf = child + DEAF.replace("control.ready()", "control.ready(); control.say(str(child.pid))")
    outcome = run(tmp_path, view, render=deaf, capture=CAPTURES)
    assert (outcome.status, list(outcome.reports)) == (0, ["capture"])
    [pid] = map(int, view.said)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_what_libraries_print_goes_to_the_log_and_harms_nothing(tmp_path):
    prints = (
        "print('{\"Ready\": 1}', [1] * 9); os.write(1, b'\\xff\\xfe half a line'); sys.stdout.flush()\n"
        'def main(s, l):\n  print(\'{"Say": {"sentence": "not ours"}}\', flush=True)\n'
        "  os.write(1, b'raw\\n'); l.say('hello')"
    )
    view = Seen()
    outcome = run(tmp_path, view, render=SERVES, capture=prints)
    assert (outcome.status, outcome.sentence, view.said) == (0, None, ["hello"])
    log = (tmp_path / "capture.log").read_bytes()
    assert all(words in log for words in (b"[1, 1", b"\xff\xfe half a line", b"not ours", b"raw"))


def test_a_stage_that_cannot_be_started_leaves_none_of_the_others(tmp_path):
    render, missing = start(program(tmp_path, "render", SERVES)), start(tmp_path / "capture.py")
    broken = type(missing)(missing.member, ("/nowhere/python",))
    with none_left(), pytest.raises(FileNotFoundError):
        launch([render, broken], dict, tmp_path, Seen())


@pytest.mark.parametrize("descriptors", [4, 9])
def test_too_few_descriptors_at_the_start_are_one_sentence_and_no_process_is_left(tmp_path, descriptors):
    starts = [start(program(tmp_path, stage, SERVES)) for stage in ("render", "capture", "age")]
    said = "cannot be started: Too many open files; allow more open"
    with none_left(), free_descriptors(descriptors), pytest.raises(CannotStart, match=said):
        launch(starts, dict, tmp_path, Seen())


@contextmanager
def free_descriptors(count: int) -> Iterator[None]:
    """As many are free, whichever this process has open: earlier tests may have left holes."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + count, before[1]))
    taken = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for descriptor in taken[-count:]:
            os.close(descriptor)
        del taken[-count:]
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("threads", [0, 1, 2, 3])
def test_without_room_for_a_thread_no_run_is_started_and_no_process_is_left(tmp_path, monkeypatch, threads):
    starts = [start(program(tmp_path, stage, SERVES)) for stage in ("render", "capture")]
    begin, begun = threading.Thread.start, []

    def begins(thread: threading.Thread) -> None:
        if len(begun) >= threads:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", begins)
    with none_left(), pytest.raises(CannotStart, match="cannot be started: can't start new thread; allow more proc"):
        launch(starts, dict, tmp_path, Seen())


def test_a_stage_that_dies_when_there_is_no_room_for_a_thread_is_started_again(tmp_path, monkeypatch):
    begin = threading.Thread.start

    def begins(thread: threading.Thread) -> None:
        if getattr(thread, "_target", None).__qualname__.startswith("_in_time"):
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", begins)
    view = Seen()
    outcome = run(tmp_path, view, render=SERVES, capture=CAPTURES_UNTIL_BACK, age=first("[].pop()"))
    assert (outcome.status, outcome.restarts) == (0, {"age": 1})


LOSES_ITS_LOG = """
import shutil
def main(s, l):
    l.ready()
    if not s.life:
        DEED
        [].pop()
    l.say("back")
    open(sys.argv[0] + ".back", "w").close()
    serve(l)
"""


@pytest.mark.parametrize(
    "deed",
    [
        "shutil.rmtree(os.path.dirname(LOG))",
        pytest.param("os.rename(os.path.dirname(LOG), os.path.dirname(LOG) + '-moved')", marks=pytest.mark.long),
        pytest.param("os.remove(LOG); os.mkdir(LOG)", marks=pytest.mark.long),
        "os.remove(LOG); os.mkfifo(LOG)",
        "os.chmod(os.path.dirname(LOG), 0)",
    ],
)
def test_whatever_becomes_of_its_log_a_stage_is_started_again(tmp_path, deed):
    logs = tmp_path / "logs"
    logs.mkdir()
    names = {"render": SERVES, "capture": CAPTURES_UNTIL_BACK}
    age = LOSES_ITS_LOG.replace("DEED", deed).replace("LOG", repr(str(logs / "age.log")))
    starts = [start(program(tmp_path, name, body)) for name, body in {**names, "age": age}.items()]
    view = Seen()
    with none_left():
        outcome = launch(starts, lambda: {s.member.label: settings(s.member.stage) for s in starts}, logs, view)
    assert (outcome.status, outcome.sentence, outcome.restarts) == (0, None, {"age": 1})
    words = "age ended with status 1: IndexError: pop from empty list; it is started again"
    assert "back" in view.said and any(said.startswith(words) for said in view.said)


def test_that_a_run_waits_for_a_person_is_told_once_with_what_came_of_it(tmp_path):
    waits = """
def main(settings, control):
    control.ready()
    for _ in range(2):  # As another life of it would.
        control.waiting("press Q", RenderReport(outputs=["photo.jpg"]))
    serve(control)
    control.report(RenderReport(outputs=["photo.jpg"]))
"""
    told = []
    outcome = run(
        tmp_path,
        waiting=lambda sentence, so_far: told.append((sentence, so_far.reports["render"][0].outputs)),
        render=waits,
        capture=CAPTURES,
    )
    assert (outcome.status, outcome.waited, told) == (0, True, [("press Q", ["photo.jpg"])])


@pytest.mark.parametrize("place", ["a folder", "a link", "a pipe", "a full disk"])
def test_a_log_that_cannot_be_written_is_left_out_with_a_note(tmp_path, place):
    log = tmp_path / "capture.log"
    {
        "a folder": log.mkdir,
        "a link": lambda: log.symlink_to(tmp_path / "mine"),
        "a pipe": lambda: os.mkfifo(log),
        "a full disk": lambda: log.symlink_to("/dev/full"),
    }[place]()
    (tmp_path / "mine").write_text("mine")
    view = Seen()
    prints = "print('words of a library', flush=True)\n" + CAPTURES
    outcome = run(tmp_path, view, render=SERVES, capture=prints)
    assert (outcome.status, outcome.sentence) == (0, None)
    [note] = view.said
    assert note.startswith(f"{log} cannot be written (") and note.endswith("so nothing is logged there")
    assert (tmp_path / "mine").read_text() == "mine"


def test_what_a_stage_does_not_read_holds_up_nobody(tmp_path):
    path = tmp_path / "age.py"
    path.write_text("import time; time.sleep(600)")
    events, log = SimpleQueue(), StageLog(tmp_path / "age.log", Manifest(tmp_path))
    child = Child(start(path), log, events)
    for _ in range(100):  # A megabyte; its pipe takes 64 kB.
        child.tell(b"x" * 10_000 + b"\n")
    child.kill()
    assert events.get(timeout=20).status == -signal.SIGKILL
    child.close(10)
    log.close()


def test_what_is_found_wrong_while_the_stages_start_ends_them_all(tmp_path):
    def refuse() -> dict[str, Settings]:
        raise FacepipeError("there is no such card.")

    with none_left(), pytest.raises(FacepipeError, match="there is no such card"):
        launch([start(program(tmp_path, "render", SERVES))], refuse, tmp_path, Seen())


def test_a_stage_that_ends_before_it_is_told_anything_is_noticed(tmp_path):
    path = tmp_path / "gender.py"
    path.write_text("import sys; sys.exit('gender: no numpy here')")
    outcome = launch([start(path)], lambda: {"gender": settings("gender")}, tmp_path, Seen())
    assert outcome.sentence == (
        f"gender ended with status 1: gender: no numpy here, twice before it was ready ({tmp_path}/gender.log)."
    )


def test_a_person_who_quits_in_the_window_ends_the_run_well(tmp_path):
    quits = (
        "def main(s, l):\n  l.ready(); [l.quit() for _ in range(9)]\n  serve(l)\n"
        "  l.report(RenderReport(notes=['closed']))"
    )
    outcome = run(tmp_path, render=quits, capture=SERVES)
    assert (outcome.status, outcome.sentence) == (0, None)
    assert [report.notes for report in last_reports(outcome).values()] == [["capture"], ["closed"]]


SAYS = "def main(settings, control):\n  control.ready(); control.say(settings.stage); serve(control)\n"
DEAF_SAYS = DEAF.replace("control.ready()", "control.ready(); control.say(settings.stage)")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_end_the_run_in_order(tmp_path, number, status):
    launcher = LauncherProcess(tmp_path, render=SAYS, capture=SAYS)
    launcher.wait_for("render", "capture")
    children = launcher.children()
    launcher.send(number)
    assert launcher.end() == (status, "None")
    assert len(children) == 2
    assert not any(child.is_running() for child in children)


@pytest.mark.skipif(shutil.which("nohup") is None, reason="needs nohup")
def test_under_nohup_a_run_survives_the_end_of_its_terminal(tmp_path):
    launcher = LauncherProcess(tmp_path, "nohup", render=SAYS, capture=SAYS)
    launcher.wait_for("render", "capture")
    launcher.send(signal.SIGHUP)
    launcher.send(signal.SIGTERM)
    assert launcher.end() == (143, "None")


STUBBORN = """
def main(settings, control):
    heard = []
    signal.signal(signal.SIGTERM, lambda *_: heard.append("terminated"))
    control.ready()
    control.say(settings.stage)
    serve(control)
    control.say(f"{settings.stage} told")
    while not heard:
        time.sleep(0.01)
    control.say(f"{settings.stage} terminated")
    time.sleep(600)
"""


def test_every_further_ctrl_c_goes_a_step_on_at_once_even_with_stages_that_are_deaf(tmp_path):
    launcher = LauncherProcess(tmp_path, render=STUBBORN, capture=STUBBORN)
    launcher.wait_for("render", "capture")
    children = launcher.children()
    for answers in (["capture told"], ["render told"], ["render terminated", "capture terminated"], []):
        launcher.send(signal.SIGINT)
        launcher.wait_for(*answers)
    assert launcher.end() == (130, "None")
    assert not any(child.is_running() for child in children)


@pytest.mark.skipif(sys.platform != "linux", reason="PDEATHSIG is Linux's")
def test_no_stage_outlives_a_launcher_that_was_killed_not_even_one_that_is_stopped(tmp_path):
    stopped = "def main(s, l): l.ready(); l.say('age'); os.kill(os.getpid(), signal.SIGSTOP)"
    launcher = LauncherProcess(tmp_path, render=SAYS, capture=DEAF_SAYS, age=stopped)
    launcher.wait_for("render", "capture", "age")
    children = launcher.children()
    launcher.send(signal.SIGKILL)
    assert launcher.end()[0] == -signal.SIGKILL
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_without_the_help_of_the_kernel_the_end_of_the_pipe_ends_a_stage(tmp_path):
    portable = "sys.platform = 'freebsd14'\n" + DEAF_SAYS
    launcher = LauncherProcess(tmp_path, render=portable)
    launcher.wait_for("render")
    children = launcher.children()
    launcher.send(signal.SIGKILL)
    assert launcher.end()[0] == -signal.SIGKILL
    assert psutil.wait_procs(children, timeout=10)[1] == []
