"""Only what facepipe has made, and nobody has changed since, is replaced or deleted."""

import json
import os
import shutil

import pytest

from stages.layout import MANIFEST
from stages.results.errors import ForeignFile
from stages.results.manifest import Manifest


@pytest.fixture
def manifest(tmp_path):
    return Manifest(tmp_path)


def other(manifest):
    """The manifest as another process, or a later run, sees it."""
    return Manifest(manifest.folder)


def grown(manifest, name, content=b"lines\n"):
    path = manifest.folder / name
    descriptor = manifest.create(path)
    os.write(descriptor, content)
    os.close(descriptor)
    return path


def test_a_file_that_is_written_as_a_whole_is_ours_and_replaced(manifest):
    path = manifest.folder / "summary.json"
    manifest.write(path, b"first")
    assert other(manifest).is_ours(path)
    other(manifest).write(path, b"second")
    assert path.read_bytes() == b"second" and manifest.is_ours(path)
    assert [p.name for p in manifest.files()] == ["summary.json"]
    assert sorted(p.name for p in manifest.folder.iterdir()) == [MANIFEST, "summary.json"]


def test_a_file_that_grows_is_ours_from_the_beginning_and_when_it_is_complete(manifest):
    path = grown(manifest, "results.jsonl")
    assert other(manifest).is_ours(path)
    manifest.complete(path)
    assert other(manifest).is_ours(path)


def test_a_complete_file_that_somebody_has_changed_is_theirs(manifest):
    path = grown(manifest, "results.jsonl")
    manifest.complete(path)
    with path.open("ab") as file:
        file.write(b"a note\n")
    assert not manifest.is_ours(path) and manifest.changed() == [path]
    assert not manifest.remove(path) and path.exists()
    with pytest.raises(ForeignFile, match=r"results\.jsonl"):
        manifest.create(path)


@pytest.mark.parametrize("write", [Manifest.write, lambda manifest, path, _: manifest.create(path)])
def test_a_file_of_somebody_else_is_never_replaced(manifest, write):
    path = manifest.folder / "summary.json"
    path.write_bytes(b"mine")
    with pytest.raises(ForeignFile):
        write(manifest, path, b"theirs")
    assert path.read_bytes() == b"mine" and not manifest.remove(path)


def test_a_file_that_took_the_place_of_one_being_written_is_theirs(manifest):
    path = grown(manifest, "results.jsonl")
    path.rename(manifest.folder / "away")
    path.write_bytes(b"mine")
    assert not manifest.is_ours(path)


def test_a_file_that_was_about_to_be_created_is_ours_only_while_it_is_empty(manifest):
    path = manifest.folder / "results.jsonl"
    (manifest.folder / MANIFEST).write_text('{"opens": "results.jsonl"}\n')
    path.write_bytes(b"")
    assert manifest.is_ours(path)
    path.write_bytes(b"mine")
    assert not manifest.is_ours(path)


def test_killed_between_saying_that_a_file_is_replaced_and_replacing_it_both_files_are_known(manifest, monkeypatch):
    path = manifest.folder / "run.json"
    manifest.write(path, b"first")

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        patched.setattr("pathlib.Path.unlink", lambda self: None)  # Nobody tidies up after a kill.
        with pytest.raises(Killed):
            manifest.write(path, b"second")
    assert other(manifest).is_ours(path) and path.read_bytes() == b"first"
    other(manifest).remove_temporaries(manifest.folder)
    assert sorted(os.listdir(manifest.folder)) == [MANIFEST, "run.json"]
    other(manifest).write(path, b"third")
    assert other(manifest).is_ours(path) and path.read_bytes() == b"third"


def test_what_a_killed_process_was_writing_is_known_and_can_be_removed(manifest):
    (manifest.folder / MANIFEST).write_text('{"opens": ".run.json.0123.part"}\n{"opened": "a.mp4", "ino')
    left = manifest.folder / ".run.json.0123.part"
    left.write_bytes(b"half")
    assert manifest.files() == [left]
    somebodys = manifest.folder / ".draft.4567.part"
    somebodys.write_bytes(b"mine")
    manifest.remove_temporaries(manifest.folder)
    assert not left.exists() and somebodys.exists()
    path = grown(manifest, "results.jsonl")  # After the torn line.
    assert other(manifest).is_ours(path)


def test_a_moved_or_copied_folder_keeps_what_is_ours(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    manifest = Manifest(folder)
    manifest.write(folder / "summary.json", b"{}")
    shutil.copytree(folder, tmp_path / "copy")
    assert Manifest(tmp_path / "copy").is_ours(tmp_path / "copy" / "summary.json")


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/hostname", "sub/../../outside.txt", 7, None])
def test_a_manifest_cannot_name_files_outside_its_folder(tmp_path, name):
    folder = tmp_path / "run"
    folder.mkdir()
    outside = tmp_path / "outside.txt"
    outside.write_bytes(b"")
    (folder / MANIFEST).write_text(json.dumps({"opens": name}) + "\n")
    assert Manifest(folder).files() == [] and not Manifest(folder).remove(outside)
    with pytest.raises(ForeignFile):
        Manifest(folder).write(outside, b"x")


def test_links_are_not_followed(tmp_path):
    folder, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "file").write_bytes(b"precious")
    (folder / "logs").symlink_to(elsewhere)
    (folder / "results.jsonl").symlink_to(elsewhere / "file")
    manifest = Manifest(folder)
    for path in (folder / "logs" / "render.log", folder / "results.jsonl"):
        with pytest.raises(ForeignFile):
            manifest.create(path)
    assert [p.name for p in elsewhere.iterdir()] == ["file"] and (elsewhere / "file").read_bytes() == b"precious"
    (folder / MANIFEST).symlink_to(elsewhere / "file")
    with pytest.raises(ForeignFile):
        manifest.files()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to give a file away")
def test_a_manifest_that_belongs_to_another_user_is_not_believed(manifest):
    manifest.write(manifest.folder / "summary.json", b"{}")
    os.chown(manifest.folder / MANIFEST, 12345, 12345)
    with pytest.raises(ForeignFile, match="another"):
        other(manifest).files()


def test_lines_that_say_nothing_make_nothing_ours(manifest):
    (manifest.folder / MANIFEST).write_bytes(b'\n7\n[]\n{}\n"x"\n{"made": "a"}\n{"made": "a", "size": "x"}\n\xff\n')
    (manifest.folder / "a").write_bytes(b"")
    assert manifest.files() == []


def test_pieces_that_were_copied_without_their_times_are_those_of_the_run_all_the_same(manifest):
    """`cp -r` gives files another time, and so none is known; a table of the run is still written beside it."""
    results = manifest.folder / "pieces" / "000001" / "results.jsonl"
    manifest.write(results, b"lines\n")
    os.utime(results, ns=(1, 1))
    assert not manifest.is_ours(results)
    for folder in (manifest.folder, results.parent):
        Manifest.over(results).write(folder / "faces.csv", b"id\n")
    assert Manifest.over(results).folder == manifest.folder
