"""Which films are meant by paths, folders, globs and addresses, and what their results are called."""

from __future__ import annotations

import os
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.utils import infer_storage_options

from stages.archive.finding import FilmFile, films_of, is_there, refuse_alike
from stages.config.schema import ConfigError


@pytest.fixture
def films(tmp_path) -> Path:
    for name in ("a/1.mp4", "a/2.MKV", "b/1.mp4", "b/notes.txt", "c.mov", "é b/=1.mp4"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


def names(root: str | None, *patterns: object) -> list[str]:
    return [film.name for film in films_of(map(str, patterns), root)[1]]


def test_names_count_from_the_last_folder_before_a_wildcard(films):
    assert names(None, f"{films}/**/*.mp4") == ["a/1.mp4", "b/1.mp4", "é b/=1.mp4"]
    assert names(None, f"{films}/a/*") == ["1.mp4", "2.MKV"]


def test_of_several_they_count_from_the_folder_that_all_have_in_common(films):
    assert names(None, f"{films}/a/*", films / "b" / "1.mp4") == ["a/1.mp4", "a/2.MKV", "b/1.mp4"]


def test_a_folder_means_the_videos_directly_in_it_and_a_file_itself(films):
    assert names(None, films) == ["c.mov"]
    assert names(None, films / "b" / "notes.txt") == ["notes.txt"]  # It is asked for: opening it says what it is.


def test_relative_paths_are_meant_from_here(films, monkeypatch):
    monkeypatch.chdir(films / "a")
    assert names(None, "1.mp4", "../b/*.mp4") == ["a/1.mp4", "b/1.mp4"]


def test_a_film_that_two_patterns_mean_is_one(films):
    assert names(None, f"{films}/**", films / "c.mov") == ["a/1.mp4", "a/2.MKV", "b/1.mp4", "c.mov", "é b/=1.mp4"]


def test_annotated_videos_of_the_archive_itself_are_no_films():
    files = fsspec.filesystem("memory")
    for name in ("/films/1.mp4", "/films/results/1.mp4/annotated/1.mp4"):
        files.pipe_file(name, b"1")
    found = films_of(["memory://films/**/*.mp4"], output="memory://films/results")[1]
    assert [film.name for film in found] == ["1.mp4"]


class OfAHost(MemoryFileSystem):
    """A store whose names are paths on a host, as with sftp and smb."""

    protocol, store, pseudo_dirs = "ofahost", {}, [""]

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(infer_storage_options(path)["path"])


@pytest.mark.parametrize("pattern", ["films/**/*.mp4", "films/a/*", "films/a/", "films/a/1.mp4"])
def test_a_film_on_a_host_keeps_the_host_in_its_address(pattern):
    fsspec.register_implementation("ofahost", OfAHost, clobber=True)
    fsspec.filesystem("ofahost").pipe_file("/films/a/1.mp4", b"1")
    fsspec.filesystem("ofahost").pipe_file("/films/out/1.mp4", b"1")
    fsspec.filesystem("ofahost").pipe_file("/films/.archive/1.mp4", b"1")
    root, [film] = films_of([f"ofahost://anna:secret@host:22/{pattern}"], output="ofahost://host:22/films/out")
    assert root.startswith("ofahost://host:22/films") and "secret" not in root  # It is written into archive.json.
    assert film.name in ("a/1.mp4", "1.mp4")
    assert film.address == "ofahost://anna:secret@host:22/films/a/1.mp4"
    assert is_there(film) == film


def test_annotated_videos_of_any_run_in_a_store_are_no_films_unless_one_is_named():
    files = fsspec.filesystem("memory")
    for name in ("1.mp4", "annotated/2.mp4", "old/1.mp4/annotated/1.mp4", "old/1.mp4/run.json"):
        files.pipe_file(f"/archived/{name}", b"1")
    assert names(None, "memory://archived/**/*.mp4") == ["1.mp4", "annotated/2.mp4"]
    assert names(None, "memory://archived/old/1.mp4/annotated/1.mp4") == ["1.mp4"]


def test_an_output_that_holds_all_the_films_is_refused(films):
    with pytest.raises(ConfigError, match="all videos there are in the output; choose another --output"):
        films_of([f"{films}/**/*.mp4"], output=str(films))


@pytest.mark.parametrize("key", ["a/../../1.mp4", "a//1.mp4", "./1.mp4"])
def test_a_key_of_a_store_that_leads_elsewhere_is_refused(key):
    address = f"memory:///keys/{key}"
    with pytest.raises(ConfigError, match="leads elsewhere; name the other films"):
        refuse_alike([FilmFile(key, address, 1, "")])


def test_results_never_lie_in_the_folder_of_another_film():
    names = ("a.mp4", "a.mp4-2.mp4", "a.mp4/x.mp4")  # In this order: the two are no neighbours.
    with pytest.raises(ConfigError, match=r"a\.mp4 and .*x\.mp4 would have results of one name"):
        refuse_alike([FilmFile(name, f"s3://films/{name}", 1, "") for name in names])


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "x.mp4")
    (tmp_path / "y.mp4").mkdir()
    with pytest.raises(ConfigError, match=r"x\.mp4 cannot be read: it is no file"):
        films_of([str(tmp_path / "x.mp4")])
    with pytest.raises(ConfigError, match="no video is there"):
        films_of([f"{tmp_path}/*.mp4"])


def test_in_an_archive_that_goes_on_names_stay_what_they_were(films):
    assert names(str(films), films / "a" / "1.mp4") == ["a/1.mp4"]
    with pytest.raises(ConfigError, match="does not lie below"):
        names(str(films / "b"), films / "a" / "1.mp4")


def test_addresses_of_fsspec_are_named_alike():
    files = fsspec.filesystem("memory")
    for name in ("/bucket/a/1.mp4", "/bucket/a/b/2.mp4", "/bucket/a/notes.txt", "/bucket/a/x::y.mp4"):
        files.pipe_file(name, b"12345")
    root, found = films_of(["memory://bucket/a/**"])
    assert [film.name for film in found] == ["1.mp4", "b/2.mp4", "x::y.mp4"]
    assert [film.size for film in found] == [5, 5, 5] and is_there(found[2]) == found[2]
    assert names(root, "memory://bucket/a/b/2.mp4") == ["b/2.mp4"]
    assert is_there(found[0]).stamp == found[0].stamp


def test_a_film_that_was_changed_has_another_stamp_and_one_that_has_gone_none(films):
    _, [film] = films_of([str(films / "c.mov")])
    assert is_there(film).stamp == film.stamp
    (films / "c.mov").write_bytes(b"longer than it was")
    assert is_there(film).stamp != film.stamp
    (films / "c.mov").unlink()
    assert is_there(film) is None


@pytest.mark.parametrize("pattern", ["nothing/*.mp4", "nothing.mp4", "b", "memory://nowhere/*.mp4", "0", "demo"])
def test_where_no_film_is_there_the_pattern_is_named(films, monkeypatch, pattern):
    monkeypatch.chdir(films)
    (films / "b" / "1.mp4").unlink()
    with pytest.raises(ConfigError, match=pattern.replace("*", r"\*")):
        names(None, pattern)


def test_no_film_takes_the_name_of_what_the_archive_has_itself(tmp_path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "1.mp4").touch()
    with pytest.raises(ConfigError, match="dataset/1.mp4"):
        names(None, f"{tmp_path}/**/*.mp4")
    assert names(None, f"{tmp_path}/dataset/*.mp4") == ["1.mp4"]


def test_films_of_two_kinds_of_storage_are_refused(films):
    fsspec.filesystem("memory").pipe_file("/bucket/x.mp4", b"1")
    with pytest.raises(ConfigError, match="several kinds of storage"):
        names(None, films / "c.mov", "memory://bucket/x.mp4")
