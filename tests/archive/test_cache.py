"""Copies of films of other storage: one for all processes of a machine, whole, and no more of them than fit."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import fsspec
import pytest

from stages.archive.cache import on_this_machine
from stages.archive.finding import FilmFile, films_of
from stages.archive.storage import StorageError
from stages.sources.refusal import SourceError
from tests.archive.archives import is_root, wait_until
from tests.conftest import PROJECT

SIZE = 1000


@pytest.fixture
def films(tmp_path) -> list[FilmFile]:
    """Five films in a storage that is not a folder of this machine, so far as fsspec is asked."""
    for number in range(5):
        path = tmp_path / "store" / f"{number}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes([number]) * SIZE)
    return films_of([f"local://{tmp_path}/store/*.mp4"])[1]


def copies(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*.mp4")}


def test_a_copy_has_the_name_of_the_film_and_is_used_again(films, tmp_path):
    with on_this_machine(films[1], 10 * SIZE, tmp_path) as path:
        assert (path.name, path.read_bytes()) == ("1.mp4", bytes([1]) * SIZE)
        fetched_ns = path.stat().st_mtime_ns
    with on_this_machine(films[1], 10 * SIZE, tmp_path) as again:
        assert again == path and again.stat().st_mtime_ns == fetched_ns


def test_the_copy_that_was_used_longest_ago_makes_room(films, tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    for number in (0, 1, 0, 2):
        with on_this_machine(films[number], 2 * SIZE, folder):
            pass
    assert copies(folder) == {"0.mp4", "2.mp4"}


def test_what_is_in_use_is_kept_and_one_film_is_fetched_all_the_same(films, tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    with on_this_machine(films[0], 1, folder) as first, on_this_machine(films[1], 1, folder) as second:
        assert first.exists() and second.exists()
    with on_this_machine(films[2], 1, folder):
        assert copies(folder) == {"2.mp4"}


def test_many_at_once_fetch_a_film_once(films, tmp_path):
    folder, seen, start = tmp_path / "copies", set(), threading.Barrier(8)
    folder.mkdir()

    def use() -> None:
        start.wait()
        with on_this_machine(films[3], SIZE, folder) as path:
            seen.add((path.stat().st_ino, path.read_bytes()))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1


def test_a_process_that_is_killed_leaves_its_copy_to_others(films, tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    holds = (
        "import sys, time; from pathlib import Path; from stages.archive.cache import on_this_machine;"
        "from stages.archive.finding import films_of\n"
        f"with on_this_machine(films_of(['{films[0].address}'])[1][0], 1, Path('{folder}')): time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", holds], cwd=PROJECT) as process:
        wait_until(lambda: copies(folder), process)
        process.kill()
    with on_this_machine(films[1], 1, folder):
        assert copies(folder) == {"1.mp4"}


def test_a_film_that_was_changed_or_has_gone_is_refused(films, tmp_path):
    (tmp_path / "store" / "1.mp4").write_bytes(b"another")
    (tmp_path / "store" / "2.mp4").unlink()
    for film, says in ((films[1], "was changed"), (films[2], "is not there any more")):
        with pytest.raises(SourceError, match=says), on_this_machine(film, SIZE, tmp_path):
            pass


def test_a_film_of_this_machine_is_read_where_it_lies(tmp_path):
    path = tmp_path / "x.mp4"
    path.touch()
    [film] = films_of([str(path)])[1]
    with on_this_machine(film, 0, tmp_path / "nowhere") as used:
        assert used == path


def test_what_is_wrong_with_a_copy_is_said_of_the_film(films, tmp_path):
    with (
        pytest.raises(SourceError, match=rf"^local://{tmp_path}/store/1\.mp4 is no video\.$"),
        on_this_machine(films[1], SIZE, tmp_path) as path,
    ):
        raise SourceError(f"{path} is no video.")


@pytest.mark.parametrize("change", ["write", "replace", "remove"])
def test_a_film_of_this_machine_that_is_changed_while_it_is_read_is_refused(tmp_path, change):
    path = tmp_path / "x.mp4"
    path.write_bytes(b"first")
    [film] = films_of([str(path)])[1]
    with pytest.raises(SourceError, match=r"was changed while|is not there on"), on_this_machine(film, 0):
        if change == "write":
            path.write_bytes(b"second")
        elif change == "replace":
            (tmp_path / "y.mp4").write_bytes(b"third")
            (tmp_path / "y.mp4").replace(path)
        else:
            path.unlink()
            raise SourceError("x.mp4 cannot be read.")


@pytest.mark.skipif(not is_root(), reason="only root can make a small file system")
def test_a_full_disk_is_a_sentence_and_leaves_no_torn_copy(films, tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    fsspec.filesystem("file").pipe_file(f"{tmp_path}/store/large.mp4", bytes(100_000))
    [large] = films_of([f"local://{tmp_path}/store/large.mp4"])[1]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    try:
        with pytest.raises(StorageError, match="set TMPDIR"), on_this_machine(large, 10**9, folder):
            pass
        assert copies(folder) == set()
    finally:
        subprocess.run(["umount", folder], check=True)
