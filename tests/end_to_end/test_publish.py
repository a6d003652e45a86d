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


def options(place, address: str = "ipc://faces.sock", **more) -> dict:
    return {"config": PROJECT / "pipeline.yaml", "cwd": place.folder, **more}


@pytest.fixture
def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def test_the_subscriber_of_the_documentation_hears_what_is_written(place, slow_film):
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


def test_beyond_the_machine_only_who_has_a_key_hears_anything(place, slow_film, free_port):
    config = place.folder / "house.yaml"
    config.write_text(
        "hosts: {desk: {address: 127.0.0.1}, wall: {address: 127.0.0.2}}\n"
        f"render: {{publish: 'tcp://0.0.0.0:{free_port}'}}\nkeys: keys\npace: true\n"
    )
    made = place.run(None, "--make-keys", "keys", display=None, **options(place, config=config))
    assert made.status == 0, made.err
    connect = f"{LOCKED.replace('192.168.7.10:5700', f'127.0.0.1:{free_port}')}"
    program = SUBSCRIBER.replace('frames.connect("ipc://faces.sock")\n', connect)
    unknown_peers = zmq.Context.instance().socket(zmq.SUB)
    unknown_peers.connect(f"tcp://127.0.0.1:{free_port}")
    unknown_peers.subscribe("")
    with Listener(program, place.folder) as listener:
        ran = place.run(slow_film, "--host", "desk", **options(place, config=config))
        eventually(lambda: listener.frames[-1:] == [31], "the last frame")
    assert ran.status == 0, ran.err
    assert unknown_peers.poll(0) == 0
    unknown_peers.close(linger=0)
    assert ran.err.count("a peer was refused") == 1


@pytest.mark.parametrize(
    ("publish", "sentence"),
    [
        (
            "tcp://0.0.0.0:5700",
            "0.0.0.0 can be reached from other machines, and no socket is opened there without keys;",
        ),
        ("tcp://localhost", "--set render.publish: render.publish is 'tcp://localhost'; write tcp://ADDRESS:PORT, "),
        ("tcp://127.0.0.1:99999", "write tcp://ADDRESS:PORT, the port from 1 to 65535, or ipc://PATH"),
        ("{pixels: true}", "--set render.publish: render.publish needs an address, such as {address: tcp://127.0.0.1:"),
        (
            "{address: 'ipc://a', pixels: 'ipc://b'}",
            "--set render.publish: render.publish.pixels is 'ipc://b'; write tr",
        ),
        ("ipc://nowhere/faces.sock", "/nowhere/faces.sock does not exist; make it, or change render.publish."),
        ("ipc://letter.txt", "letter.txt is a file of somebody's; remove it, or change render.publish."),
        ("ipc://link.sock", "link.sock is a file of somebody's; remove it, or change render.publish."),
        ("ipc://locked.sock", "locked.sock.lock, a file of somebody's; change render.publish."),
        ("ipc://live.sock", "live.sock is taken by another program; change render.publish."),
        ("ipc://busy.sock", "busy.sock is taken by another program; change render.publish."),
        (f"ipc://{'x' * 120}", "x is longer than the 107 bytes of a socket's path; shorten render.publish."),
        ("tcp://no.such.host.invalid:5700", "the address no.such.host.invalid is not known here"),
    ],
)
def test_what_cannot_be_published_is_one_sentence_and_status_2(place, film, publish, sentence):
    (place.folder / "letter.txt").write_text("Dear Sir")
    (place.folder / "locked.sock.lock").write_text("1234\n")
    (place.folder / "link.sock").symlink_to("nothing")
    with socket.socket(socket.AF_UNIX) as live, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as busy:
        live.bind(str(place.folder / "live.sock"))
        live.listen(0)
        busy.bind(str(place.folder / "busy.sock"))
        before = sorted(path.name for path in place.folder.iterdir())
        ran = place.run(film, f"--set=render.publish={publish}", **options(place))
    assert ran.status == 2
    assert sentence in ran.complaint
    assert not (ran.output / "results.jsonl").exists()
    assert set(before) <= {path.name for path in place.folder.iterdir()}
    assert (place.folder / "letter.txt").read_text() == "Dear Sir"
    assert (place.folder / "locked.sock.lock").read_text() == "1234\n"


def test_a_socket_that_nobody_answers_on_any_more_is_replaced(place, film):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place.folder / "faces.sock"))
    ran = place.run(film, "--set=render.publish=ipc://faces.sock", **options(place))
    assert ran.status == 0, ran.err
    assert not (place.folder / "faces.sock").exists()


def test_an_address_that_is_taken_is_one_sentence_and_status_2(place, film, slow_film, free_port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port))
        taken.listen()
        ran = place.run(film, f"--set=render.publish=tcp://127.0.0.1:{free_port}")
    assert ran.status == 2
    assert ran.complaint == (
        f"tcp://127.0.0.1:{free_port} cannot be opened: Address already in use; change render.publish."
    )
    run = place.start(slow_film, PACED, "--set=render.publish=ipc://faces.sock", **options(place)).until_lines(2)
    other = place.start(film, "--set=port=5700", "--set=render.publish=ipc://faces.sock", **options(place, output="2"))
    refused = other.end(alone=False)
    assert refused.status == 2
    holder = run.stages()["render"][0].pid
    assert refused.complaint == f"ipc://{place.folder}/faces.sock is taken by process {holder}; change render.publish."
    run.end()
