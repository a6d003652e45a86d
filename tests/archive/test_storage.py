"""A folder and an address of fsspec behave alike: what has a name is whole, and what is not there is None."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.archive.storage import Storage, StorageError, StorageFull, storage_at
from stages.layout import MANIFEST
from stages.results.errors import ForeignFile
from stages.results.manifest import Manifest
from tests.archive.archives import is_root

pytest.importorskip("fsspec")


@pytest.fixture(params=["folder", "renaming", "object store"])
def storage(request, tmp_path) -> Storage:
    addresses = {
        "folder": str(tmp_path / "output"),
        "renaming": f"local://{tmp_path}/output",
        "object store": f"memory://{tmp_path}/output",
    }
    return storage_at(addresses[request.param])


def test_what_is_written_is_read_and_listed(storage):
    assert list(storage.names()) == []
    assert storage.read("a/b.json") is None
    storage.write("a/b.json", b"1")
    storage.write("a/b.json", b"22")
    storage.write("c", b"")
    assert storage.read("a/b.json") == b"22"
    assert sorted(storage.names()) == ["a/b.json", "c"]
    assert list(storage.names("a")) == ["a/b.json"]
    assert storage.read_all(["a/b.json", "nothing", "c"]) == {"a/b.json": b"22", "c": b""}
    assert storage.read_all(["a/b.json"]) == {"a/b.json": b"22"}


def test_it_is_the_same_on_another_machine(storage):
    storage.write("a", b"1")
    assert pickle.loads(pickle.dumps(storage)).read("a") == b"1"


def test_a_file_and_a_folder_are_removed_and_what_is_not_there_is_no_error(storage):
    for name in ("a/b", "a/c/d", "e"):
        storage.write(name, b"1")
    storage.remove("a")
    storage.remove("e")
    storage.remove("e")
    assert list(storage.names()) == []


@pytest.mark.parametrize("name", ["*.mp4", "[1].mp4", "?.mp4"])
def test_a_name_is_never_a_pattern(storage, name):
    for film in ("1.mp4", name):
        storage.write(f"work/{film}/part", film.encode())
    assert storage.read_all([f"work/{name}/part"]) == {f"work/{name}/part": name.encode()}
    storage.remove(f"work/{name}")
    assert list(storage.names()) == ["work/1.mp4/part"]


def write_run(storage: Storage, files: dict[str, bytes]) -> None:
    """As facepipe writes them."""
    with storage.new_run("film.mp4", "work") as folder:
        manifest = Manifest(folder)
        for name, content in files.items():
            manifest.write(folder / name, content)


def content_of(storage: Storage) -> dict[str, bytes]:
    """What lies in the folder of the film, without the journal of facepipe."""
    return {n: storage.read(n) for n in storage.names() if not n.endswith(MANIFEST)}


def test_a_run_has_its_name_when_it_is_finished_and_replaces_what_was_made_before(storage):
    write_run(storage, {"results.jsonl": b"1", "annotated/old.mp4": b"1", "report.html": b"1"})
    storage.write("film.mp4/notes.txt", b"mine")
    storage.write("film.mp4/annotated/mine.mp4", b"mine")
    with storage.new_run("film.mp4", "work") as folder:
        Manifest(folder).write(folder / "results.jsonl", b"2")
        Manifest(folder).write(folder / "annotated" / "new.mp4", b"2")
        assert storage.read("film.mp4/results.jsonl") == b"1"
    assert content_of(storage) == {
        "film.mp4/results.jsonl": b"2",
        "film.mp4/annotated/new.mp4": b"2",
        "film.mp4/notes.txt": b"mine",
        "film.mp4/annotated/mine.mp4": b"mine",
    }
    write_run(storage, {"results.jsonl": b"3"})
    assert sorted(content_of(storage)) == [
        "film.mp4/annotated/mine.mp4",
        "film.mp4/notes.txt",
        "film.mp4/results.jsonl",
    ]


def test_a_file_of_others_with_the_name_of_a_new_one_is_not_replaced(storage):
    write_run(storage, {"results.jsonl": b"1"})
    storage.write("film.mp4/digest.json", b"mine")
    before = content_of(storage)
    with pytest.raises(ForeignFile, match=r"film\.mp4/digest\.json was not written by facepipe; move it away"):
        write_run(storage, {"results.jsonl": b"2", "digest.json": b"2"})
    assert content_of(storage) == before


def test_what_killed_processes_have_begun_of_a_run_is_removed(tmp_path):
    storage = storage_at(str(tmp_path))
    storage.write("work/KEY-00000.part", b"1")
    with contextlib.suppress(KeyboardInterrupt), storage.new_run("film.mp4", "work") as folder:
        shutil.copytree(folder, folder.with_name(folder.name + "-killed"))
        raise KeyboardInterrupt
    with storage.new_run("film.mp4", "work") as folder:
        assert sorted(os.listdir(tmp_path / "work")) == ["KEY-00000.part", folder.name]


def test_a_run_that_fails_leaves_the_former_one(storage):
    storage.write("film.mp4/old", b"1")
    with pytest.raises(ZeroDivisionError), storage.new_run("film.mp4", "work") as folder:
        (folder / "new").write_bytes(b"2")
        raise ZeroDivisionError
    assert list(storage.names()) == ["film.mp4/old"]


@pytest.mark.parametrize("written", range(4))
def test_killed_while_it_replaces_the_former_one_a_run_is_written_once_more(storage, monkeypatch, written):
    files = ("results.jsonl", "annotated/a.mp4", "events.jsonl")
    write_run(storage, {**dict.fromkeys(files[:2], b"1"), "report.html": b"1"})
    storage.write("film.mp4/notes.txt", b"mine")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt), storage.new_run("film.mp4", "w") as folder:
        for name in files:
            Manifest(folder).write(folder / name, b"2")
        with_places, puts = (os, "replace") if storage.folder else (type(storage), "add")
        patched.setattr(with_places, puts, ends_after(written, getattr(with_places, puts)))
    write_run(storage, dict.fromkeys(files, b"3"))
    assert content_of(storage) == {f"film.mp4/{n}": b"3" for n in files} | {"film.mp4/notes.txt": b"mine"}


def ends_after(times: int, function: Callable) -> Callable:
    """The same, which stands for a kill when it has been called so many times."""
    left = iter(range(times))

    def called(*given: object) -> object:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return function(*given)

    return called


@pytest.mark.parametrize("link", ["film.mp4", "film.mp4/annotated", "film.mp4/results.jsonl"])
def test_nothing_is_written_through_a_link(tmp_path, link):
    storage, elsewhere = storage_at(str(tmp_path / "output")), tmp_path / "elsewhere"
    files = {"results.jsonl": b"1", "annotated/a.mp4": b"1"}
    write_run(storage, files)
    (tmp_path / "output" / link).rename(elsewhere)
    (tmp_path / "output" / link).symlink_to(elsewhere)
    with pytest.raises(ForeignFile, match="is a link"):
        write_run(storage, dict.fromkeys(files, b"2"))
    left = (
        [elsewhere]
        if elsewhere.is_file()
        else [p for p in elsewhere.rglob("*") if p.name in ("results.jsonl", "a.mp4")]
    )
    assert {path.read_bytes() for path in left} == {b"1"}


@pytest.mark.skipif(not is_root(), reason="only root can make a small file system")
@pytest.mark.parametrize("scheme", ["", "local://"])
def test_on_a_full_disk_the_former_file_stays(tmp_path, scheme):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], check=True)
    try:
        storage = storage_at(f"{scheme}{tmp_path}/output")
        storage.write("a", b"1")
        with pytest.raises(StorageFull, match="No space left on device; make room"):
            storage.write("a", bytes(100_000))
        assert storage.read("a") == b"1" and list(storage.names()) == ["a"]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_only_one_holds_a_folder(tmp_path):
    storage = storage_at(str(tmp_path))
    with (
        storage.held(),
        pytest.raises(StorageError, match=f"process {os.getpid()} is making the archive"),
        storage.held(),
    ):
        pass


@pytest.mark.parametrize(
    "address", ["nosuch://anna:secret@host/x", "s3://anna:secret@host/x", "ftp://anna:secret@127.0.0.1:1/x"]
)
def test_an_address_that_is_of_no_use_is_a_sentence_without_its_password(address, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StorageError, match="://") as raised:
        storage_at(address).write("a", b"1")
    assert "secret" not in str(raised.value) and str(raised.value).endswith(".")


def test_a_file_where_a_folder_should_be_is_a_sentence(tmp_path):
    Path(tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write"):
        storage_at(str(tmp_path / "file")).write("a", b"1")
