"""The commands of pods, started as their manifests say, on a volume that outlives them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from stages.transport.keys import read_keys
from tests.conftest import PROJECT
from tests.deploying.made import deployed, documents
from tests.end_to_end.command import Running, Workplace
from tests.end_to_end.material import scene
from tests.end_to_end.server import camera

STAGES = "stages: {detect: {detector: haar}, gender: {}, age: {}}\n"


class Pod:
    """The container of a manifest as a process, with a folder for everything that it mounts."""

    def __init__(self, place: Workplace, folder: Path):
        [self._run] = [each for each in documents(folder) if each["kind"] in ("StatefulSet", "Job")]
        self._place = place
        self._at = {"/etc/facepipe": folder.absolute() / "config", "/data": place.folder / "data", "/media": Path.cwd()}
        for path in (folder / "config").iterdir():  # A mounted Secret.
            path.write_text(self._mapped(path.read_text()))
        self._at["/data"].mkdir()

    def start(self) -> Running:
        [container] = self._run["spec"]["template"]["spec"]["containers"]
        words = [self._mapped(word) for word in container["args"]]
        output = Path(words[words.index("--output") + 1])
        words[words.index("0.0.0.0")] = "127.0.0.1"  # A pod has a network of its own.
        return Running(self._place, [sys.executable, "-m", "facepipe", *words], output, cwd=PROJECT)

    def _mapped(self, text: str) -> str:
        for mounted, here in self._at.items():
            text = text.replace(f"{mounted}/", f"{here}/")
        return text


def test_a_pod_of_a_film_that_is_started_again_on_its_volume_goes_on_and_ends_once(place, slow_film):
    Path("films").mkdir()
    shutil.copy2(slow_film, "films/slow.mp4")
    whole = place.start(Path("films/slow.mp4").absolute(), config=_config(place), output="whole").end().succeeded()
    pod = Pod(place, deployed("kubernetes", "film", config=f"source: films/slow.mp4\npace: true\n{STAGES}"))
    first = pod.start().until_lines(6)
    assert first.signal(signal.SIGTERM).end().status == 143  # A Job is not done by that.
    assert 6 <= first.line_count < 32
    second = pod.start().until_lines(first.line_count + 3)
    place.kill()
    assert second.end().status == -signal.SIGKILL
    assert pod.start().end().succeeded().results == whole.results
    assert pod.start().end().succeeded().results == whole.results


def _config(place: Workplace) -> Path:
    path = place.folder / "alone.yaml"
    path.write_text(STAGES)
    return path


@pytest.mark.long
def test_a_pod_of_a_camera_that_is_replaced_counts_on_in_the_same_folder(place, astronaut):
    with camera(lambda number: scene(astronaut, number), rate=10) as door:
        pod = Pod(place, deployed("kubernetes", "one", "--fps", "10", config=f"source: {door.url}\n{STAGES}"))
        for lines in (10, 25):
            run = pod.start().until_lines(lines)
            assert run.signal(signal.SIGTERM).end().status == 0
    assert [path.name for path in (place.folder / "data").iterdir()] == ["one"]
    frames = [json.loads(line)["frame"] for line in (run.output / "results.jsonl").read_text().splitlines()]
    assert frames == sorted(set(frames))
    [source] = json.loads((run.output / "summary.json").read_text())["sources"]
    assert source["captured"] == source["rendered"] + sum(each["count"] for each in source["dropped"])
    assert source["rendered"] == len(frames)


@pytest.fixture
def secret() -> Iterator[Path]:
    """The keys of a pod as Kubernetes mounts a Secret: links, open to the group."""
    folder = deployed("kubernetes", "house")
    mounted = Path("mounted")
    (mounted / "..data").mkdir(parents=True)
    mounted.chmod(0o1777)
    for key in (*folder.glob("keys/*.public"), folder / "keys/door.secret"):
        (mounted / "..data" / key.name).write_bytes(key.read_bytes())
        (mounted / "..data" / key.name).chmod(0o440)
        (mounted / key.name).symlink_to(Path("..data") / key.name)
    yield mounted.absolute()


def test_the_init_container_makes_keys_of_the_secret_that_facepipe_takes(secret):
    door = yaml.safe_load_all(Path("deploy/door.unit.yaml").read_text())
    [pod] = [each["spec"]["template"]["spec"] for each in door if each["kind"] in ("StatefulSet", "Job")]
    [container] = pod["initContainers"]
    words = [word.replace("/etc/facepipe-keys", str(secret)) for word in container["command"]]
    words = [word.replace("/run/facepipe", str(secret.parent / "run")) for word in words]
    (secret.parent / "run").mkdir()
    for _ in range(2):  # A container that is started again finds what the first has made.
        subprocess.run(words, check=True)
    assert read_keys(secret.parent / "run/keys", "door", ["desk", "door", "fast"]).host == "door"
