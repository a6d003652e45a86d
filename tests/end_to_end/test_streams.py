"""Runs whose annotated video is streamed while they go on: what players see, and that the results never notice."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stages.streams.playlist import Playlist
from tests.browser import free_port
from tests.end_to_end.command import Ran
from tests.end_to_end.material import HEIGHT, WIDTH
from tests.streams.players import frames_of, needs_ffmpeg, rtsp_server


@needs_ffmpeg
def test_a_run_is_streamed_to_a_server_and_as_hls_as_it_is_drawn_and_its_results_are_the_same(place, slow_film, calm):
    playlist = place.folder / "hls" / "slow.mp4.m3u8"
    with rtsp_server(place.folder / "taken.mkv") as (server, address):
        options = f"--stream={address}", f"--stream={playlist.with_name('{source}.m3u8')}"
        ran = place.run(slow_film, *options).succeeded()
        assert server.process.wait(60) == 0
    assert ran.results == calm.results
    assert Playlist.parse(playlist.read_text()).segments and "#EXT-X-ENDLIST" in playlist.read_text()
    for stream in (playlist, server.recording):
        # Of 32: the server may end before it has written the last ones. ffprobe warns of bursts, as on a busy machine.
        assert len(frames_of(stream, "error")) >= 30
        seen, annotated = last_picture(stream), last_picture(ran.output / "annotated" / "slow.mp4")
        assert seen.shape == (HEIGHT, WIDTH, 3)
        assert np.abs(seen.astype(int) - annotated).mean() < 3  # Of 255; without the boxes it is more.


def last_picture(path) -> np.ndarray:
    video, last = cv2.VideoCapture(str(path)), None
    while True:
        done, picture = video.read()
        if not done:
            return last
        last = picture


def test_a_killed_render_goes_on_with_the_stream_whose_numbers_never_go_back(place, slow_film, calm: Ran):
    playlist = place.folder / "hls" / "live.m3u8"
    run = place.start(slow_film, f"--stream={playlist}")
    firsts: list[int] = []

    def told() -> Playlist:
        found = Playlist.parse(playlist.read_text()) if playlist.exists() else Playlist()
        if found.segments:
            firsts.append(found.first)
        return found

    run.until(lambda: len(told().segments) >= 2, "two segments")
    run.stages()["render"][0].kill()
    run.until(lambda: any(segment.is_break for segment in told().segments), "a segment after the break")
    ran = run.end().succeeded()
    assert ran.results == calm.results
    assert firsts == sorted(firsts) and "#EXT-X-ENDLIST" in playlist.read_text()


def test_a_server_that_is_away_costs_the_run_nothing_and_its_password_is_nowhere(place, film, shown: Ran):
    address = f"127.0.0.1:{free_port()}/faces"
    (place.folder / "stream.txt").write_text(f"rtsp://anna:hush@{address}\n")
    ran = place.run(film, f"--stream=file:{place.folder}/stream.txt").succeeded()
    assert ran.results == shown.results
    assert f"the stream rtsp://{address} is interrupted: Connection refused; it is tried again." in ran.err
    [note] = [note for note in ran.summary["notes"] if "stream" in note]
    assert note == f"the stream rtsp://{address} lacks 32 of 32 frames: it was away or slow" and note in ran.out
    written = [path.read_bytes() for path in ran.output.rglob("*") if path.is_file()]
    assert not any(b"hush" in content for content in (*written, ran.out.encode(), ran.err.encode()))


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1:8554/faces", "write rtsp://HOST:PORT/PATH"),
        ("http://127.0.0.1/live.m3u8", "write rtsp://HOST:PORT/PATH"),
        ("env:UNSET", "the environment variable UNSET is not set"),
        ("file:HERE/clip/x.txt", "is no address; write one such as rtsp://"),
        ("HERE/mine/live.m3u8", "it is not empty, and thesis.tex is no file of a stream"),
        ("HERE/clip/x.txt/live.m3u8", "it is no folder"),
    ],
)
@pytest.mark.parametrize("check", [(), ("--check",)])
def test_an_address_to_which_nothing_can_be_streamed_is_refused_and_nothing_made(place, film, address, why, check):
    for file in ("mine/thesis.tex", "clip/x.txt"):
        (place.folder / file).parent.mkdir(exist_ok=True)
        (place.folder / file).write_text("mine")
    before = sorted(place.folder.rglob("*"))
    ran = place.run(film, f"--stream={address.replace('HERE', str(place.folder))}", *check)
    assert (ran.status, why in ran.complaint) == (2, True)
    assert [path for path in sorted(place.folder.rglob("*")) if not path.name.startswith(("out-", "err-"))] == before


def test_an_encoder_that_does_not_work_is_refused_for_a_stream_as_for_a_video(place, film):
    options = "--set=render.annotated=false", "--set=render.encoder=videotoolbox"
    ran = place.run(film, "--stream=hls/live.m3u8", *options, "--check")
    assert (ran.status, "render.encoder is videotoolbox, which does not work" in ran.complaint) == (2, True)
