"""`facepipe archive`: results of many films, byte for byte those of the ordinary pipeline, whatever is ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stages.commands import archive
from tests.archive.archives import (
    archived,
    archiving,
    digest,
    face_film,
    faces_in,
    hashes,
    in_progress,
    is_root,
    manifest,
    parts_in,
    plain,
    states,
    wait_until,
)

pytest.importorskip("ray")

LONG = 500  # frames of each film in the tests of what is ended in the middle
PARTS = "--part-minutes=0.02"  # 30 frames


@pytest.fixture(scope="module")
def films(tmp_path_factory, astronaut) -> Path:
    """Two short films of one name in two folders."""
    folder = tmp_path_factory.mktemp("short")
    face_film(folder / "a" / "clip.mp4", astronaut, 70)
    face_film(folder / "b" / "clip.mp4", astronaut, 45, phase=1.0)
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory, astronaut) -> tuple[Path, dict[str, str]]:
    """Three longer films, and what the ordinary pipeline writes about each."""
    folder = tmp_path_factory.mktemp("many")
    films = [face_film(folder / f"{name}.mp4", astronaut, LONG, 25, phase) for phase, name in enumerate("xyz")]
    return folder, {film.name: digest(plain(film, folder / "plain" / film.stem)) for film in films}


def test_an_archive_has_the_results_of_the_ordinary_pipeline_and_lists_what_cannot_be_read(films, tmp_path):
    folder = shutil.copytree(films, tmp_path / "films")
    (folder / "broken.mp4").write_text("no film")
    output = tmp_path / "output"
    ran = archived(f"{folder}/**/*.mp4", "--output", output, PARTS, "--set=render.web=8601")
    assert ran.returncode == 1, ran.stderr
    assert "an archive does not use: render.web" in ran.stderr
    assert all(line.startswith("facepipe: ") for line in ran.stderr.splitlines()), "nothing of Ray's own log"
    assert f"Wrote {output}/archive.html and {output}/dataset/." in ran.stdout
    assert "broken.mp4: broken.mp4 " in ran.stdout and "is not a video" in ran.stdout
    assert states(output) == {"a/clip.mp4": "done", "b/clip.mp4": "done", "broken.mp4": "failed"}
    expected = digest(plain(folder / "a" / "clip.mp4", tmp_path / "plain"))
    assert hashes(output)["a/clip.mp4"] == expected
    assert {row["parts"] for row in manifest(output)["films"] if row["state"] == "done"} == {1, 2}
    left = {"results.jsonl", "events.jsonl", "summary.json", "run.json"}
    assert left <= {path.name for path in (output / "b" / "clip.mp4").iterdir()}
    page = (output / "archive.html").read_text(encoding="utf-8")
    assert all(name in page for name in ("a/clip.mp4", "b/clip.mp4", "<td>broken.mp4</td>"))
    assert faces_in(output) == {"a/clip.mp4": 70, "b/clip.mp4": 45}
    assert in_progress(output) == []
    # Started again, it does nothing twice: the film that cannot be read is looked at, and nothing else.
    written = {path: path.stat().st_mtime_ns for path in output.rglob("results.jsonl")}
    os.remove(folder / "broken.mp4")
    again = archived(f"{folder}/**/*.mp4", "--output", output, PARTS)
    assert again.returncode == 0 and "2 films had been analysed before" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in output.rglob("results.jsonl")} == written


def test_without_the_extra_a_sentence_names_the_command_that_installs_it(tmp_path):
    (tmp_path / "x.mp4").touch()
    without = "import sys; sys.modules['ray'] = None; from facepipe.__main__ import main; main()"
    command = [sys.executable, "-c", without, "archive", str(tmp_path / "x.mp4"), "--output", str(tmp_path / "output")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert "ray is not installed here; run " in ran.stderr and "install-ray" in ran.stderr
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nothing/*.mp4"], "nothing/*.mp4: no video is there"),
        (["x.mp4", "--ray=auto", "--cores=2"], "leave one out"),
        (["x.mp4", "--ray="], "it is empty"),
        ([""], "it is empty"),
        (["x.mp4", "--price=1"], "add --dry-run"),
        (["x.mp4", "--part-minutes=0"], "is not a number above 0"),
        (["x.mp4", "--cache-gb=1e308"], "is more than"),
        (["x.mp4", "--cores=1.5"], "is not a number of cores"),
        (["x.mp4", "--set=capture.loop=true"], "capture.loop is not for the films of an archive"),
        (["x.mp4", "--set=stages.detect.detector=nosuch"], "detector"),
        (["x.mp4", "--config=nosuch.yaml"], "nosuch.yaml does not exist"),
    ],
)
def test_what_is_refused_is_one_sentence_and_nothing_is_begun(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("x.mp4").touch()
    try:
        status = archive.main([*words, "--output", "output"])
    except SystemExit as ended:  # What is wrong with the options alone.
        status = ended.code
    assert status == 2
    said = capsys.readouterr()
    assert says in said.err and said.err.count("\n") == 1 and said.out == ""
    assert not Path("output").exists()


@pytest.mark.long
def test_results_do_not_depend_on_the_length_of_parts(many, tmp_path):
    folder, expected = many
    for minutes in ("0.02", "0.05", "60"):
        output = tmp_path / minutes
        assert archived(f"{folder}/*.mp4", "--output", output, "--part-minutes", minutes).returncode == 0
        assert hashes(output) == expected


@pytest.mark.long
def test_a_driver_that_is_killed_is_started_again_and_goes_on(many, tmp_path):
    folder, expected = many
    output = tmp_path / "output"
    with archiving(f"{folder}/*.mp4", "--output", output, PARTS) as process:
        wait_until(lambda: len(parts_in(output)) > 5, process)
        process.kill()
    kept = {path: path.stat().st_mtime_ns for path in output.rglob("results.jsonl")}
    kept |= {path: path.stat().st_mtime_ns for path in output.rglob("*.index")}
    ran = archived(f"{folder}/*.mp4", "--output", output, PARTS)
    assert ran.returncode == 0, ran.stderr
    assert hashes(output) == expected and in_progress(output) == []
    assert all(path.stat().st_mtime_ns == at for path, at in kept.items() if path.exists())


@pytest.mark.long
def test_a_film_that_ends_every_process_is_listed_and_the_others_are_analysed(films, tmp_path):
    poison, output = films / "a" / "clip.mp4", tmp_path / "output"
    with archiving(f"{films}/**/*.mp4", "--output", output, PARTS) as process:
        said: list[tuple[str, str]] = []
        reader = threading.Thread(target=lambda: said.append(process.communicate()))
        reader.start()
        while reader.is_alive():
            for worker in workers_that_read(poison, process.pid):
                worker.kill()
            reader.join(0.2)
    [(out, err)] = said
    assert process.returncode == 1, err
    assert states(output) == {"a/clip.mp4": "failed", "b/clip.mp4": "done"}
    assert "a/clip.mp4: its process or its machine was lost 6 times." in out
    assert all(line.startswith("facepipe: ") for line in err.splitlines()) and "raylet" not in out
    ran = archived(f"{films}/**/*.mp4", "--output", output, PARTS)
    assert ran.returncode == 0, ran.stderr
    assert hashes(output)["a/clip.mp4"] == digest(plain(poison, tmp_path / "plain"))


def workers_that_read(film: Path, driver: int) -> Iterator[psutil.Process]:
    """The processes below that of a command that have a film open."""
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(driver).children(recursive=True):
            with contextlib.suppress(psutil.Error):  # It has ended since, or was only begun.
                if any(file.path == str(film) for file in process.open_files()):
                    yield process


@pytest.mark.long
def test_ctrl_c_ends_in_seconds_and_the_same_command_goes_on(many, tmp_path):
    folder, expected = many
    output = tmp_path / "output"
    with archiving(f"{folder}/*.mp4", "--output", output, PARTS) as process:
        wait_until(lambda: parts_in(output), process)
        process.send_signal(signal.SIGINT)
        began_s = time.monotonic()
        _, said = process.communicate(timeout=30)
        took_s = time.monotonic() - began_s
    assert process.returncode == 130 and "Run the same command again" in said
    assert took_s < 10  # On a quiet machine two.
    assert "Traceback" not in said
    assert archived(f"{folder}/*.mp4", "--output", output, PARTS).returncode == 0
    assert hashes(output) == expected


@pytest.mark.long
@pytest.mark.skipif(not is_root(), reason="only root can make a small file system")
def test_a_full_disk_ends_it_with_a_sentence_and_with_room_the_same_command_goes_on(many, tmp_path):
    folder, expected = many
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], check=True)
    try:
        ran = archived(f"{folder}/*.mp4", "--output", disk / "output", PARTS)
        assert ran.returncode == 1 and ran.stderr.count("make room") == 1, ran.stderr
        assert "Traceback" not in ran.stderr
        subprocess.run(["mount", "-o", "remount,size=50m", disk], check=True)
        ran = archived(f"{folder}/*.mp4", "--output", disk / "output", PARTS)
        assert ran.returncode == 0, ran.stderr
        assert hashes(disk / "output") == expected and in_progress(disk / "output") == []
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.long
def test_an_estimate_does_the_work_of_a_sample_and_keeps_nothing(many, tmp_path):
    folder, _ = many
    ran = archived(f"{folder}/*.mp4", "--output", tmp_path / "output", "--dry-run", "--price", "0.05")
    assert ran.returncode == 0, ran.stderr
    assert "3 films" in ran.stdout and "1 min 0 s of video in all" in ran.stdout
    assert "s of one core" in ran.stdout and "core-hours at 0.05 each" in ran.stdout
    assert not (tmp_path / "output").exists()


@pytest.mark.long
def test_finished_films_are_added_to_the_data_set_without_being_analysed_again(films, tmp_path):
    output = tmp_path / "output"
    assert archived(f"{films}/**", "--output", output, PARTS, "--no-dataset").returncode == 0
    assert not (output / "dataset").exists()
    written = {path: path.stat().st_mtime_ns for path in output.rglob("results.jsonl")}
    assert archived(f"{films}/**", "--output", output, PARTS).returncode == 0
    assert faces_in(output) == {"a/clip.mp4": 70, "b/clip.mp4": 45}
    assert {path: path.stat().st_mtime_ns for path in output.rglob("results.jsonl")} == written
