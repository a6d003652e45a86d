"""Streams, from a server on this machine."""

from __future__ import annotations

import itertools
import re
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import av
import cv2
import pytest

from stages.sources import base, stream
from stages.sources.base import SourceAway, SourceError
from stages.sources.opening import open_source
from stages.sources.part import Part
from tests.sources.material import corners, encoded, number_of, numbered, write_video


@pytest.fixture
def server(monkeypatch):
    """Serves `files` by their path, and /live as motion JPEG; gives the address as host:port."""
    monkeypatch.setattr(stream, "_TIMEOUT_S", 1.0)
    files: dict[str, bytes] = {}
    lengths: dict[str, int] = {}  # where it says another one than that of the file
    silent = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        @property
        def protocol_version(self) -> str:
            """With the newer one it closes a connection where it is asked to, and does not say so."""
            return "HTTP/1.1" if self.raw_requestline[:7] in (b"GET /pa", b"GET /ch") else "HTTP/1.0"

        def do_GET(self):  # noqa: N802  the library's name
            path = self.path.partition("?")[0]
            if path == "/silent":
                silent.wait(30)
            elif path.startswith("/live"):
                with suppress(ConnectionError):  # A reader that has seen enough.
                    self._live(hangs=path == "/live-and-hang")
            elif path.startswith("/status/"):
                self.send_error(int(path.rpartition("/")[2]))
            elif path.startswith("/parts/"):
                self._part_of(files[path])
            elif path.startswith("/chunks/"):
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(files[path]), files[path]))
            elif path.startswith("/no-length/"):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(files[path])
            elif path in files:
                self.send_response(200)
                self.send_header("Content-Length", str(lengths.get(path, len(files[path]))))
                self.end_headers()
                with suppress(ConnectionError):  # A reader that goes on elsewhere.
                    self.wfile.write(files[path])
            else:
                self.send_error(404)

        def _part_of(self, file: bytes) -> None:
            begin = int(self.headers["Range"].removeprefix("bytes=").partition("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(file) - 1}/{len(file)}")
            self.send_header("Content-Length", str(len(file) - begin))
            self.end_headers()
            with suppress(ConnectionError):  # A reader that goes on elsewhere.
                self.wfile.write(file[begin:])

        def _live(self, hangs: bool) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
            self.end_headers()
            for number in range(20):
                jpeg = cv2.imencode(".jpg", numbered(number, (64, 48)))[1].tobytes()
                head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
            if hangs:
                silent.wait(30)

        def log_message(self, *_):
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        http.files, http.lengths = files, lengths
        http.address = f"127.0.0.1:{http.server_port}"
        yield http
        silent.set()
        http.shutdown()
        thread.join()


def test_a_video_on_a_server_is_read_like_a_file(server, tmp_path):
    server.files["/shots/clip.mp4"] = write_video(tmp_path / "c.mp4", container={"movflags": "+faststart"}).read_bytes()
    source = open_source(f"http://anna:secret@{server.address}/shots/clip.mp4?token=hidden")
    assert (source.name, source.live, source.frames) == ("127.0.0.1/shots/clip.mp4", False, 10)
    assert source.description == "64 x 48 at 25 frames/s"
    assert [number_of(p.pixels) for p in source.pictures()] == list(range(10))
    assert [number_of(p.pixels) for p in source.pictures(start=8)] == [8, 9]
    assert source.notes == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", [2, 4, 5, 6, 7])
def test_a_picture_on_a_server_stands_upright_whatever_its_name(server, kind, orientation):
    for name in ("/face.jpg", "/face.mp4"):
        server.files[name] = encoded(kind, orientation)
        (picture,) = open_source(f"http://{server.address}{name}").pictures()
        assert (corners(picture.pixels), picture.rate) == ("red green blue white", None)


@pytest.mark.parametrize("path", ["/grid.avif", "/snapshot"])
def test_a_picture_in_tiles_on_a_server_is_read_whole(server, bugs, path):
    server.files[path] = (bugs / "grid-2x2.avif").read_bytes()
    assert open_source(f"http://{server.address}{path}").description == "1024 x 1024"


def test_a_picture_that_is_gone_at_the_second_reading_is_one_sentence_without_the_password(server):
    server.files["/face.png"] = encoded("PNG")
    source = open_source(f"http://anna:secret@{server.address}/face.png?token=hidden")
    del server.files["/face.png"]
    with pytest.raises(SourceError) as error:
        list(source.pictures())
    assert str(error.value) == f"http://{server.address}/face.png cannot be read: Server returned 404 Not Found."


def test_motion_jpeg_is_live_and_ends_with_a_note(server, monkeypatch):
    monkeypatch.setattr(stream, "time", SimpleNamespace(monotonic=itertools.count(700).__next__, time=lambda: 0.0))
    source = open_source(f"http://{server.address}/live")
    assert (source.name, source.live, source.frames) == ("127.0.0.1/live", True, None)
    assert source.description == "64 x 48"  # It states no rate; FFmpeg assumes 25 frames/s.
    pictures = list(source.pictures())
    assert {p.rate for p in pictures} == {25.0}
    assert [round((p.pixels[-8:, -8:].mean() - 10) / 4) for p in pictures] == list(range(20))
    assert [p.time for p in pictures] == list(range(1, 21))  # Since it was opened, by the clock of this machine.
    assert source.notes[-1] == f"http://{server.address}/live: the stream ended after 20 frames."


def test_a_stream_that_is_lost_is_opened_again_and_its_times_go_on(server, monkeypatch):
    monkeypatch.setattr(base, "PAUSE_S", 0.01)
    source = open_source(f"http://{server.address}/live")
    source.reconnect_s, told = 5.0, []
    source.tell = told.append
    pictures = [picture for picture, _ in zip(source.pictures(), range(30), strict=False)]
    assert source.reconnections == 1
    assert [p.time for p in pictures] == sorted(p.time for p in pictures)
    label = f"http://{server.address}/live"
    assert told == [f"{label} is lost; looking for it for 5 s", f"{label} is back"]
    source.close()


def test_a_stream_that_falls_silent_ends_with_a_note(server):
    source = open_source(f"http://anna:secret@{server.address}/live-and-hang?token=hidden")
    assert len(list(source.pictures())) in (19, 20)  # The last one is complete only when the next begins.
    assert "nothing came for 1 s" in source.notes[0]
    assert not any("secret" in note or "hidden" in note for note in source.notes)


def test_a_stream_is_closed_before_and_while_it_is_read(server):
    open_source(f"http://{server.address}/live").close()
    source = open_source(f"http://{server.address}/live")
    next(source.pictures())
    source.close()
    assert number_of(next(source.pictures()).pixels) == 0  # Opened anew.
    source.close()


@pytest.mark.parametrize(
    ("path", "said", "waits"),
    [
        ("/nothing.mp4", "cannot be opened: Server returned 404 Not Found; check the address", False),
        ("/silent", "gave no picture within 1 s; check the address", True),
        ("/text.mp4", "is not a video that can be read", False),
    ],
)
def test_what_a_server_cannot_give_is_one_sentence_without_the_password(server, path, said, waits):
    server.files["/text.mp4"] = b"Dear diary\n" * 50
    with pytest.raises(SourceError) as error:
        open_source(f"http://anna:secret@{server.address}{path}?token=hidden")
    assert f"http://{server.address}{path} {said}" in str(error.value)
    assert isinstance(error.value, SourceAway) == waits
    cause = error.value
    while cause is not None:
        assert "secret" not in str(cause) and "hidden" not in str(cause)
        cause = cause.__cause__ or cause.__context__


@pytest.mark.parametrize(("status", "waits"), [(503, True), (500, True), (404, True), (401, False), (403, False)])
def test_what_a_server_refuses_for_now_is_waited_for_and_a_wrong_password_is_not(server, status, waits):
    with pytest.raises(SourceError, match="Server returned .*; (check|write its user and password)") as error:
        open_source(f"http://anna:secret@{server.address}/status/{status}?token=hidden")
    assert isinstance(error.value, SourceAway) == waits
    if waits:
        label = f"http://{server.address}/status/{status}"
        assert error.value.so_far.startswith(f"{label} is not there yet (Server returned")
        assert "secret" not in error.value.so_far and "hidden" not in error.value.so_far


@pytest.mark.parametrize(
    "address", ["rtsp://127.0.0.1:1", "http://127.0.0.1:1", "rtmp://127.0.0.1:1", "http://no.invalid"]
)
def test_a_stream_whose_address_answers_nothing_is_one_sentence_and_waited_for(address):
    with pytest.raises(SourceAway, match=f"^{address}/live cannot be opened: .*; check the address and port"):
        open_source(f"{address}/live".replace("//", "//anna:secret@"))


def test_a_server_that_hangs_up_is_not_called_a_video():
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: server.accept()[0].close(), daemon=True)
        thread.start()
        address = f"rtsp://127.0.0.1:{server.getsockname()[1]}/1"
        with pytest.raises(SourceError) as refused:
            open_source(address)
        thread.join()
    assert str(refused.value).startswith(address) and "check the address and port" in str(refused.value)
    assert "video" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://anna:pass/word@example.org/1",
        "rtsp://anna:12/word@example.org/1",
        "rtsp://anna:12?word@example.org/1",
        "rtsp://anna:12#word@example.org/1",
        "rtsp://anna:se:cret@example.org:port/1",
        "rtsp://[::1/word",
        "rtsp:///word",
        "rtsp://anna:word@example.org:99999/1",
        "rtsp://anna:word@example.org:0/1",
    ],
)
def test_a_malformed_address_is_refused_without_showing_it(url):
    with pytest.raises(SourceError, match="no valid host and port; .* in a password write %2F for /") as error:
        open_source(url)
    assert "word" not in str(error.value).replace("password", "")
    assert "cret" not in str(error.value) and "anna" not in str(error.value)
    assert error.value.__cause__ is None


@pytest.mark.parametrize("path", ["/clip", "/clip.ts", "/clip.mp4"])
def test_what_a_server_gives_a_length_for_is_read_as_a_file_whatever_its_name(server, tmp_path, path):
    kind = "c.ts" if path == "/clip.ts" else "c.mp4"
    server.files[path] = write_video(tmp_path / kind).read_bytes()
    source = open_source(f"HTTP://{server.address}{path}")
    assert not source.live
    assert [number_of(p.pixels) for p in source.pictures()] == list(range(10))
    assert [number_of(p.pixels) for p in source.pictures(start=8)] == [8, 9]


def test_a_file_whose_index_is_at_its_end_is_read_whole_in_parts(server, tmp_path):
    whole = write_video(tmp_path / "clip.mp4", frames=40).read_bytes()
    index, far = whole.index(b"moov") - 4, 400_000  # So far FFmpeg asks anew rather than reads on.
    whole = whole[:index] + far.to_bytes(4) + b"free" + bytes(far - 8) + whole[index:]
    server.files["/parts/clip.mp4"] = server.files["/clip.mp4"] = whole
    source = open_source(f"http://{server.address}/parts/clip.mp4")
    assert (len(list(source.pictures())), source.notes, source.cut_short) == (40, [], 0)
    with pytest.raises(SourceError, match="if its server gives no parts of files, download it first"):
        open_source(f"http://{server.address}/clip.mp4")


def test_a_file_without_a_length_is_read_to_its_last_frame(server, tmp_path):
    options, container = {"bf": "2"}, {"movflags": "+faststart"}
    server.files["/no-length/clip.mp4"] = write_video(
        tmp_path / "clip.mp4", options=options, container=container
    ).read_bytes()
    source = open_source(f"http://{server.address}/no-length/clip.mp4")
    assert [number_of(picture.pixels) for picture in source.pictures()] == list(range(10))
    assert (source.notes, source.cut_short) == ([], 0)
    server.files["/no-length/p.jpg"] = encoded("JPEG", 5)
    (picture,) = open_source(f"http://{server.address}/no-length/p.jpg").pictures()
    assert corners(picture.pixels) == "red green blue white"


def test_a_file_in_chunks_that_has_no_length_is_read_once_and_no_camera_is_looked_for(server, tmp_path):
    stamps = [400 * number for number in range(50)]  # 20 s
    server.files["/chunks/clip.ts"] = write_video(tmp_path / "clip.ts", frames=50, times_ms=stamps).read_bytes()
    source = open_source(f"http://{server.address}/chunks/clip.ts")
    source.reconnect_s = 60
    assert (len(list(source.pictures())), source.reconnections) == (50, 0)
    assert source.notes == [f"http://{server.address}/chunks/clip.ts: the stream ended after 50 frames."]


def test_where_a_file_breaks_off_the_frames_that_the_decoder_holds_are_read_too(server, tmp_path):
    whole = write_video(tmp_path / "c.mkv", frames=40, size=(320, 240), options={"bf": "2"}).read_bytes()
    server.files["/clip.mkv"] = whole[: len(whole) // 2]
    server.lengths["/clip.mkv"] = len(whole)
    source = open_source(f"http://{server.address}/clip.mkv")
    numbers = [number_of(picture.pixels) for picture in source.pictures()]
    (tmp_path / "half.mkv").write_bytes(whole[: len(whole) // 2])
    assert numbers == [number_of(picture.pixels) for picture in open_source(str(tmp_path / "half.mkv")).pictures()]
    assert source.cut_short == 1


def _segments(server, tmp_path, end: str) -> str:
    with av.open(
        str(tmp_path / "list.m3u8"), "w", format="hls", options={"hls_time": "0.2", "hls_list_size": "0"}
    ) as out:
        video = out.add_stream("libx264", 25, options={"g": "5", "bf": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            out.mux(video.encode(av.VideoFrame.from_ndarray(numbered(number, (64, 48)), format="bgr24")))
        out.mux(video.encode())
    for path in tmp_path.iterdir():
        server.files[f"/{path.name}"] = path.read_bytes()
    server.files["/list.m3u8"] = server.files["/list.m3u8"].replace(b"#EXT-X-ENDLIST\n", end.encode())
    return f"http://{server.address}/list.m3u8"


def test_a_list_of_segments_with_an_end_is_read_as_a_file_and_one_without_is_live(server, tmp_path):
    source = open_source(_segments(server, tmp_path, "#EXT-X-ENDLIST\n"))
    assert not source.live
    assert len(list(source.pictures())) == 20
    assert len(list(source.pictures(start=15))) == 5
    live = open_source(_segments(server, tmp_path, ""))
    assert (live.live, live.description) == (True, "64 x 48 at 25 frames/s")
    live.close()


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ((1, 2), r"it has none between 0\.2 s and 0\.\d s, maybe a segment that is missing\."),
        ((2, 3), r"its list says 0\.8 s, and its pictures end at 0\.\d s\."),
    ],
)
def test_segments_that_a_server_does_not_give_are_missed(server, tmp_path, gone, said):
    url = _segments(server, tmp_path, "#EXT-X-ENDLIST\n")
    for number in gone:
        del server.files[f"/list{number}.ts"]
    source = open_source(url)
    read = len(list(source.pictures()))
    assert 5 < read < 15
    assert re.fullmatch(f"{re.escape(url)}: read {read} frames; {said}", source.notes[0])
    assert source.cut_short == 1


def test_a_file_that_was_replaced_on_its_server_is_not_read_as_if_it_were_the_same(server, tmp_path):
    server.files["/clip.mp4"] = write_video(tmp_path / "a.mp4").read_bytes()
    source = open_source(f"http://{server.address}/clip.mp4")
    server.files["/clip.mp4"] = write_video(tmp_path / "b.mp4", frames=7).read_bytes()
    with pytest.raises(SourceError, match="/clip.mp4 is another file now than when it was opened"):
        list(source.pictures())


def test_a_live_source_has_no_part_and_does_not_go_round(server):
    for wanted in ({"part": Part(1)}, {"part": Part(fps=5)}, {"loop": True}):
        with pytest.raises(SourceError, match="is live, and capture.start, end, fps and loop are for files"):
            open_source(f"http://{server.address}/live", **wanted)


def test_a_file_on_a_server_has_parts(server, tmp_path):
    server.files["/shots/clip.mp4"] = write_video(tmp_path / "c.mp4", container={"movflags": "+faststart"}).read_bytes()
    source = open_source(f"http://anna:secret@{server.address}/shots/clip.mp4?token=hidden", part=Part(0.08, fps=12.5))
    assert [round(1000 * p.time) for p in source.pictures()][:3] == [80, 160, 240]
