"""Finished frames for other programs: the subscriber of the documentation, run as it stands there."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import msgpack
import numpy as np
import pytest
import zmq

from tests.browser import free_port
from tests.end_to_end.command import PROJECT, eventually
from tests.end_to_end.material import FACES, HEIGHT, WIDTH

PAGE = (PROJECT / "docs/publish.md").read_text(encoding="utf-8")
SUBSCRIBER, LOCKED = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
PACED = "--set=pace=true"


class Listener:
    """The documentation's program, in a folder of its own."""

    def __init__(self, program: str, folder: Path):
        self._out = folder / "heard.txt"
        with self._out.open("wb") as out:
            self._process = subprocess.Popen([sys.executable, "-c", program], cwd=folder, stdout=out)

    @property
    def lines(self) -> list[str]:
        return [line for line in self._out.read_text().splitlines(keepends=True) if line.endswith("\n")]

    @property
    def frames(self) -> list[int]:
        return [int(line.split()[0]) for line in self.lines]

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def options(place, **more) -> dict:
    return {"config": PROJECT / "pipeline.yaml", "cwd": place.folder, **more}


def test_the_subscriber_of_the_documentation_hears_what_is_written(place, slow_film):
    with socket.socket(socket.AF_UNIX) as dead:  # of a process that is no more
        dead.bind(str(place.folder / "faces.sock"))
    with Listener(SUBSCRIBER, place.folder) as listener:
        run = place.start(slow_film, PACED, "--set=render.publish=ipc://faces.sock", **options(place))
        run.until_lines(1)
        assert (place.folder / "faces.sock").stat().st_mode & 0o777 == 0o600
        ran = run.end()
        eventually(lambda: listener.frames[-1:] == [31], "the last frame")
    assert ran.status == 0, ran.err
    heard = listener.frames
    assert heard == list(range(heard[0], 32)) and len(heard) >= 20
    assert all(line.endswith("] 0 lost\n") for line in listener.lines)
    boxes = [str([face["box"] for face in line["faces"]]) for line in ran.lines]
    assert all(f" {boxes[int(line.split()[0])]} " in line for line in listener.lines)
    assert not (place.folder / "faces.sock").exists()


@pytest.mark.long
def test_a_killed_render_is_found_again_and_who_listens_can_tell(place, slow_film):
    frames = zmq.Context.instance().socket(zmq.SUB)
    frames.connect(f"ipc://{place.folder}/faces.sock")
    frames.subscribe("slow")
    publish = "--set=render.publish={address: ipc://faces.sock, pixels: true}"
    run, heard = place.start(slow_film, PACED, publish, **options(place)), []

    def hear() -> bool:
        while frames.poll(0):
            heard.append(frames.recv_multipart())
        return run.is_over

    eventually(lambda: hear() or len(heard) >= 4, "four messages")
    run.stages()["render"][0].kill()
    eventually(hear, "the end of the run")
    ran = run.end()
    frames.close(linger=0)
    assert ran.status == 0, ran.err
    said = [msgpack.unpackb(body) for _, body, _ in heard]
    assert len({message["since"] for message in said}) == 2
    assert said[-1]["record"] == json.loads(ran.results.splitlines()[-1])
    assert all(message["record"] == ran.lines[message["record"]["frame"]] for message in said)
    for since in {message["since"] for message in said}:
        numbers = [message["seq"] for message in said if message["since"] == since]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
    [source] = {source for source, _, _ in heard}
    assert source == b"slow.mp4"
    picture = cv2.imdecode(np.frombuffer(heard[-1][2], np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (HEIGHT, WIDTH, 3)


@pytest.mark.long
def test_a_subscriber_that_stands_still_holds_nobody_up_and_learns_what_it_lost(place, astronaut, tmp_path):
    from tests.end_to_end.material import scene, write_clip

    clip = write_clip(tmp_path / "clip.mp4", [scene(astronaut, number % len(FACES)) for number in range(100)])
    frames = zmq.Context.instance().socket(zmq.SUB)
    frames.setsockopt(zmq.RCVHWM, 1)
    frames.setsockopt(zmq.RCVBUF, 4096)
    frames.connect(f"ipc://{place.folder}/faces.sock")
    frames.subscribe("")
    publish = "--set=render.publish={address: ipc://faces.sock, pixels: true}"
    run = place.start(clip, PACED, publish, "--set=frames.quality=100", **options(place))
    run.until_lines(60)  # And nobody reads.
    received = []

    def hear() -> bool:
        while frames.poll(0):
            received.append(msgpack.unpackb(frames.recv_multipart()[1])["seq"])
        return run.is_over

    eventually(hear, "the end of the run")
    ran = run.end()
    frames.close(linger=0)
    assert ran.status == 0, ran.err
    assert len(ran.lines) == 100
    assert received == sorted(set(received)) and len(received) < received[-1] + 1 - received[0]


@pytest.mark.long
def test_beyond_the_machine_only_who_has_a_key_hears_anything(place, slow_film):
    port = free_port()
    config = place.folder / "house.yaml"
    config.write_text(
        "hosts: {desk: {address: 127.0.0.1}, wall: {address: 127.0.0.2}}\n"
        f"render: {{publish: 'tcp://0.0.0.0:{port}'}}\nkeys: keys\npace: true\n"
    )
    place.run(None, "--make-keys", "keys", display=None, **options(place, config=config)).succeeded()
    connect = f"{LOCKED.replace('192.168.7.10:5700', f'127.0.0.1:{port}')}"
    program = SUBSCRIBER.replace('frames.connect("ipc://faces.sock")\n', connect)
    unknown_peers = zmq.Context.instance().socket(zmq.SUB)
    unknown_peers.connect(f"tcp://127.0.0.1:{port}")
    unknown_peers.subscribe("")
    with Listener(program, place.folder) as listener:
        ran = place.run(slow_film, "--host", "desk", **options(place, config=config))
        eventually(lambda: listener.frames[-1:] == [31], "the last frame")
    assert ran.status == 0, ran.err
    assert unknown_peers.poll(0) == 0
    unknown_peers.close(linger=0)
    assert ran.err.count("a peer was refused") == 1


def test_an_address_that_is_taken_is_one_sentence_and_status_2(place, film):
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(str(place.folder / "faces.sock"))
        live.listen(0)
        refused = place.run(film, "--set=render.publish=ipc://faces.sock", **options(place))
    assert (refused.status, refused.out) == (2, "")
    address = f"ipc://{place.folder}/faces.sock"
    assert refused.complaint == f"{address} is taken by another program; change render.publish."
    assert not (refused.output / "results.jsonl").exists() and (place.folder / "faces.sock").is_socket()
