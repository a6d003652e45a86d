"""What the server tells of a run that is under way, of one that is over, and of none."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import pytest

from stages.api import stream
from tests.browser import until
from tests.connect.run_folder import WrittenRun, appeared, left
from tests.serving.server import Server

pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("uvicorn", reason="the extra serve is not installed")

GREY = np.full((48, 64, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the server looks for a run."""
    return tmp_path_factory.mktemp("served") / "run"


@pytest.fixture(scope="module")
def server(folder: Path):
    with Server(folder.parent, str(folder)) as server:
        yield server


@pytest.fixture
def run(folder: Path) -> WrittenRun:
    shutil.rmtree(folder, ignore_errors=True)
    return WrittenRun(folder)


@pytest.fixture
def listen(server):
    """Opens connections that are sent events, and closes them in the end."""
    with ExitStack() as opened:

        def to(server: Server, last: str = "") -> Events:
            events = Events(server, last)
            opened.callback(events.close)
            return events

        yield to


class Events:
    """A client that is sent events, as a browser's EventSource is."""

    def __init__(self, server: Server, last: str = ""):
        self._connection = server.connect()
        self._connection.request("GET", "/v1/sources/door/events", headers={"Last-Event-ID": last} if last else {})
        self._answer = self._connection.getresponse()
        self.status = self._answer.status
        self.last = last

    def __next__(self) -> dict:
        """The next event; waits for it."""
        for line in iter(self._answer.readline, b""):
            name, _, value = line.decode().strip().partition(": ")
            if name == "id":
                self.last = value
            if name == "data":
                return json.loads(value)
        raise StopIteration

    def __iter__(self) -> Events:
        return self

    def close(self) -> None:
        self._answer.close()
        self._connection.close()


def leaves_a_picture(run: WrittenRun, brightness: int) -> bytes:
    jpeg = cv2.imencode(".jpg", GREY // 128 * brightness)[1].tobytes()
    folder = run.path / ".facepipe.connect"
    folder.mkdir(exist_ok=True)
    (folder / "part").write_bytes(jpeg)
    os.replace(folder / "part", folder / "_.jpg")
    return jpeg


def test_the_sources_of_the_run_are_listed_while_it_goes_on_and_afterwards(server, run):
    assert server.get("/v1/sources").json == {"run": "run-1", "over": False, "sources": ["door"]}
    run.ends()
    assert server.get("/v1/sources").json["over"] is True


def test_events_are_sent_as_they_happen_until_the_run_is_over(server, run, listen):
    run.appends(appeared(1))
    events = listen(server)
    assert next(events) == appeared(1)
    run.appends(left(1), appeared(2))
    assert [next(events), next(events)] == [left(1), appeared(2)]
    run.ends()
    assert list(events) == []


def test_a_client_that_comes_back_is_sent_what_it_has_missed(server, run, listen):
    run.appends(appeared(1), left(1))
    first = listen(server)
    next(first)
    first.close()
    again = listen(server, first.last)
    assert next(again) == left(1)
    run.ends()
    assert list(again) == []
    assert listen(server, again.last).status == 204


def test_the_events_of_another_run_are_all_new_to_a_client(server, run, listen):
    run.appends(appeared(1))
    events = listen(server)
    next(events)
    run.events.unlink()
    run.begins("run-2")
    run.appends(appeared(5))
    assert list(events) in ([], [appeared(5)])
    assert next(listen(server, events.last)) == appeared(5)


def test_the_newest_picture_is_the_one_that_the_run_has_left_last(server, run):
    assert "render.snapshot" in server.get("/v1/sources/door/snapshot.jpg").error
    for brightness in (50, 100):
        jpeg = leaves_a_picture(run, brightness)
        answer = server.get("/v1/sources/door/snapshot.jpg")
        assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "image/jpeg", jpeg)


def test_of_a_run_without_snapshots_it_is_the_last_annotated_picture(server, run):
    folder = run.path / "annotated"
    folder.mkdir()
    cv2.imwrite(str(folder / "photo.png"), GREY)
    shown = cv2.imdecode(np.frombuffer(server.get("/v1/sources/door/snapshot.jpg").body, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == GREY.shape
    assert abs(shown.mean() - 128) < 2


def test_pictures_move_as_they_are_left_until_the_run_is_over(server, run):
    pictures = [leaves_a_picture(run, 10)]
    connection = server.connect()
    connection.request("GET", "/v1/sources/door/stream.mjpg")
    answer = connection.getresponse()
    assert answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=facepipe"
    received = b""
    for brightness in (50, 100):
        while pictures[-1] not in received:
            received += answer.read1()
        pictures.append(leaves_a_picture(run, brightness))
    while pictures[-1] not in received:
        received += answer.read1()
    run.ends()
    received += answer.read()
    connection.close()
    parts = received.split(b"--facepipe\r\n")
    assert [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts[1:-1]] == pictures


def test_of_a_stream_only_the_beginning_cannot_be_had(server, run):
    leaves_a_picture(run, 10)
    for path in ("events", "stream.mjpg"):
        assert server.ask("HEAD", f"/v1/sources/door/{path}").status == 405
    assert server.ask("HEAD", "/v1/sources/door/snapshot.jpg").status == 200


def test_a_real_run_leaves_pictures_and_events(tmp_path, media):
    overrides = {"render.snapshot": 0.1, "capture.end": 1.0}
    for output, given in (("with", overrides), ("without", {"capture.end": 1.0})):
        with stream(media / "hamilton.mp4", output=tmp_path / output, overrides=given) as frames:
            height, width = next((frame.height, frame.width) for frame in frames)
            assert list(frames)
        with Server(tmp_path, str(tmp_path / output)) as server:
            snapshot = server.get("/v1/sources/hamilton.mp4/snapshot.jpg").body
            events = server.get("/v1/sources/hamilton.mp4/events").body
        shown = cv2.imdecode(np.frombuffer(snapshot, np.uint8), cv2.IMREAD_COLOR)
        assert shown.shape[0] / shown.shape[1] == pytest.approx(height / width, abs=0.01)
        assert events.count(b"data: ") == len((tmp_path / output / "events.jsonl").read_bytes().splitlines())


def test_only_names_of_sources_lead_somewhere(server, run):
    for name in ("nobody", "..", "%2e%2e", "..%2frun", "door%00", "%ff"):
        assert server.get(f"/v1/sources/{name}/events").status == 404


def test_without_a_run_there_are_no_sources_and_pictures_are_analysed_all_the_same(tmp_path, media):
    with Server(tmp_path, str(tmp_path / "nothing")) as server:
        assert server.get("/v1/sources").json == {"run": None, "over": True, "sources": []}
        assert server.get("/v1/sources/door/events").status == 404
        assert server.analyze((media / "obama.jpg").read_bytes()).status == 200


@pytest.mark.parametrize("name", ["camera.lan/live/1", "ü ö%41?#.mp4"])
def test_a_source_may_have_the_name_of_a_stream_or_of_any_file(server, folder, name):
    shutil.rmtree(folder, ignore_errors=True)
    run = WrittenRun(folder, source=name)
    run.appends(appeared(1))
    jpeg = leaves_a_picture(run, 90)
    [listed] = server.get("/v1/sources").json["sources"]
    assert server.get(f"/v1/sources/{quote(listed, safe='')}/snapshot.jpg").body == jpeg
    run.ends()
    assert b'"appeared"' in server.get(f"/v1/sources/{quote(listed, safe='')}/events").body


def test_half_of_a_character_in_an_event_does_not_end_the_stream(server, run, listen):
    run.appends(odd := {"event": "crossed", "id": 1, "line": "\ud800"}, appeared(2))
    events = listen(server)
    assert [next(events), next(events)] == [odd, appeared(2)]


def test_streams_end_where_the_folder_of_the_run_is_removed(server, run, listen):
    run.appends(appeared(1))
    leaves_a_picture(run, 90)
    events, pictures = listen(server), server.connect()
    assert next(events) == appeared(1)
    pictures.request("GET", "/v1/sources/door/stream.mjpg")
    answer = pictures.getresponse()
    shutil.rmtree(run.path)
    assert list(events) == []
    assert answer.read().endswith(b"\r\n--facepipe\r\n")
    pictures.close()


def test_too_many_streams_are_refused_until_one_ends(server, run, listen):
    run.appends(appeared(1))
    open_ones = [listen(server) for _ in range(16)]
    assert {events.status for events in open_ones} == {200}
    assert server.get("/v1/sources/door/events").status == 503
    for events in open_ones:
        events.close()
    run.ends()
    until(lambda: server.get("/v1/sources/door/events").status == 200, "room for another stream")
