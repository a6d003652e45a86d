"""The command `facepipe`: what its words mean, its help in two levels, and its refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import stages.commands.run
from stages.commands import facepipe, options
from stages.commands.facepipe import COMMANDS, UnknownCommand, meant

PROJECT = Path(__file__).resolve().parents[2]


def said(*words: str, **more) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "facepipe", *words], capture_output=True, text=True, **more)


@pytest.mark.parametrize(
    "words",
    [
        ["photo.jpg"],
        ["photos/", "--blur"],
        ["0"],
        ["demo"],
        ["auto"],
        ["rtsp://door/1"],
        ["shots/*.jpg"],
        ["--source", "0"],
        ["--blur", "photo.jpg"],
        ["./report"],
    ],
)
def test_without_a_command_it_is_a_run(words):
    assert meant(words) == ("run", words)


def test_a_command_is_the_first_word_also_beside_a_file_of_that_name():
    Path("report").touch()
    assert meant(["report", "out/clip"]) == ("report", ["out/clip"])
    assert meant(["run", "report"]) == ("run", ["report"])


def test_a_word_is_a_source_where_a_file_or_folder_has_that_name():
    Path("holiday").mkdir()
    assert meant(["holiday"]) == ("run", ["holiday"])


def test_a_word_that_is_nothing_is_refused_with_the_command_that_it_resembles():
    with pytest.raises(UnknownCommand, match=r"^repot is neither .*; did you mean report\?$"):
        meant(["repot"])
    ran = said("nosuch")
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert "facepipe --help lists the commands" in ran.stderr


def test_run_and_the_script_of_the_checkout_refuse_the_same_with_the_same_words():
    ran = said("run", "nosuch.jpg")
    script = [sys.executable, str(PROJECT / "run_pipeline.py"), "nosuch.jpg"]
    same = subprocess.run(script, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (same.returncode, same.stderr) == (2, said("nosuch.jpg").stderr)


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_fits_a_screen_and_the_whole_help_names_every_command_and_option(words, capsys):
    assert facepipe.main(words) == 0
    short = capsys.readouterr().out
    assert short.count("\n") < 25
    assert facepipe.main(["--help-all"]) == 0
    whole = capsys.readouterr().out
    assert all(f"  {name} " in whole for name in COMMANDS)
    assert all(option in whole for option in ("--set", "--only", "--make-keys"))
    assert "--make-keys" not in short


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, capsys):
    for words in ([name, "--help"], ["help", name]):
        with pytest.raises(SystemExit) as ended:
            facepipe.main(words)
        assert ended.value.code == 0
    assert "usage: " in capsys.readouterr().out


def test_the_usual_help_of_a_run_lists_the_usual_options_and_the_other_all(capsys):
    listed = {}
    for level in ("--help", "--help-all"):
        with pytest.raises(SystemExit):
            facepipe.main(["run", level])
        words = capsys.readouterr().out.partition("options:")[2].partition("examples:")[0].split()
        listed[level] = {word.strip(",") for word in words if word.startswith("--")}
    assert listed["--help"] == set(options.USUAL)
    assert {"--set", "--record", "--metrics", "--service"} <= listed["--help-all"]


def test_check_service_and_keys_are_runs_with_an_option(monkeypatch):
    taken = []
    monkeypatch.setattr(stages.commands.run, "main", lambda argv, *_: taken.append(argv) or 0)
    for words in (["check", "demo"], ["service", "0"], ["keys", "here", "--config", "house.yaml"]):
        assert facepipe.main(words) == 0
    assert taken == [["--check", "demo"], ["--service", "0"], ["--config=house.yaml", "--make-keys=here"]]


@pytest.mark.parametrize(
    ("number", "words", "status"), [("SIGINT", [], 130), ("SIGTERM", [], 143), ("SIGTERM", ["service"], 0)]
)
def test_a_signal_while_modules_are_read_ends_it_with_its_status_and_no_traceback(number, words, status):
    Path("yaml.py").write_text(f"import os, signal; os.kill(os.getpid(), signal.{number}); signal.pause()")
    ran = said(*words, "photo.jpg")
    assert (ran.returncode, ran.stderr) == (status, "")


def test_a_reader_that_has_seen_enough_of_the_help_gets_no_traceback():
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [sys.executable, "-m", "facepipe", "--help-all"], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1


def test_to_import_the_package_changes_nothing_in_the_program_that_does():
    program = (
        "import signal, sys; before = sys.excepthook, signal.getsignal(signal.SIGINT), set(sys.modules)\n"
        "import facepipe; assert not [n for n in set(sys.modules) - before[2] if n.startswith('facepipe.')]\n"
        "facepipe.__version__; assert (sys.excepthook, signal.getsignal(signal.SIGINT)) == before[:2]\n"
    )
    Path("mine.py").write_text(program)
    subprocess.run([sys.executable, "-m", "mine"], check=True)
    with pytest.raises(AttributeError):
        _ = __import__("facepipe").nothing


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("facepipe rep", {"report"}),
        ("facepipe run --det", {"--detector"}),
        ("facepipe report --par", {"--parquet"}),
        ("facepipe run pho", {"photo.jpg"}),
        ("facepipe run --config ho", {"house.yaml"}),
    ],
)
def test_bash_completes_commands_options_and_files(typed, completed):
    for name in ("photo.jpg", "house.yaml"):
        Path(name).touch()
    Path("facepipe.bash").write_text(said("completion", "bash").stdout)
    words = typed.split()
    script = (
        f"source ./facepipe.bash; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}\n"
        "_shtab_facepipe 2>/dev/null; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert set(shown.stdout.split()) == completed


def test_the_unit_for_systemd_starts_this_python_with_the_options_that_were_given():
    for words, tail in (([], "--display none"), (["0", "--output", "/var/lib/100%"], "0 --output /var/lib/100%%")):
        lines = said("service", "--unit", *words).stdout.splitlines()
        [start] = [line for line in lines if line.startswith("ExecStart=")]
        assert start.startswith(f"ExecStart={sys.executable} -m facepipe service ") and start.endswith(tail)
        assert "WorkingDirectory=%S/facepipe" in lines and "Restart=always" in lines
    assert said("service", "--unit", "--outputt", "x").returncode == 2


def test_a_shell_without_completion_is_refused():
    ran = said("completion", "fish")
    assert ran.returncode == 2 and "bash" in ran.stderr and ran.stderr.count("\n") == 1
