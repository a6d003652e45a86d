"""A folder and an address of fsspec behave alike: what has a name is whole, and what is not there is None."""

from __future__ import annotations

import os
import pickle
import subprocess
from pathlib import Path

import pytest

from stages.archive.storage import Storage, StorageError, StorageFull, storage_at
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


def test_a_folder_takes_its_name_when_it_is_finished_in_place_of_the_former_one(storage):
    storage.write("film.mp4/old", b"1")
    with storage.new_folder("film.mp4", "work") as folder:
        (folder / "inside").mkdir()
        (folder / "inside" / "new").write_bytes(b"2")
        (folder / ".hidden").write_bytes(b"3")
        assert storage.read("film.mp4/old") == b"1"
    assert storage.read("film.mp4/inside/new") == b"2"
    assert sorted(storage.names("film.mp4")) == ["film.mp4/.hidden", "film.mp4/inside/new"]


def test_a_folder_that_fails_leaves_the_former_one(storage):
    storage.write("film.mp4/old", b"1")
    with pytest.raises(ZeroDivisionError), storage.new_folder("film.mp4", "work") as folder:
        (folder / "new").write_bytes(b"2")
        raise ZeroDivisionError
    assert list(storage.names()) == ["film.mp4/old"]


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
