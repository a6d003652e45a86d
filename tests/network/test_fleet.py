"""A fleet without an orchestrator: the commands of the units that `facepipe deploy systemd` has written, each on a
machine of its own. A test does what systemd would: it starts a command again."""

from __future__ import annotations

import json
import shlex
import signal
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from stages.commands import facepipe
from tests.conftest import PROJECT
from tests.deploying.made import HOUSE
from tests.end_to_end.command import Running, Workplace, eventually, somewhere
from tests.end_to_end.material import scene
from tests.end_to_end.server import camera
from tests.network.network import Machine, Network, network

NAMES = ("desk", "door", "fast")  # of docs/machines.md
EXACT = "frames: {encoding: png}\n"
METRICS_PORT = 9109

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


class Unit:
    """One unit on the machine that it was written for, installed as the comment in it says."""

    def __init__(self, net: Network, machine: Machine, written: Path):
        self._net, self._machine = net, machine
        [file] = written.glob("*.service")
        lines = [line for line in file.read_text().splitlines() if "=" in line and line[0] != "#"]
        self._said = dict(line.split("=", 1) for line in lines)
        home, runtime = machine.place.folder, machine.place.runtime
        self._specifiers = {"%S": home / "S", "%E": home / "E", "%t": runtime}  # folders of the machine
        # Its processes are found by their runtime directory.
        self._place = Workplace(home, runtime / self._said["RuntimeDirectory"])
        config = home / "E/facepipe/house"
        (config / "keys").mkdir(parents=True, mode=0o700)
        for path in (*written.glob("*.yaml"), *written.glob("keys/*")):
            placed = config / path.relative_to(written)
            placed.write_bytes(path.read_bytes())
            placed.chmod(0o600)

    def start(self) -> Running:
        """What systemd does to begin it, also after it has ended."""
        home = self._specifiers["%S"] / self._said["StateDirectory"]
        for folder in (home, self._place.runtime):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        words = [self._expanded(word) for word in shlex.split(self._said["ExecStart"])]
        own = [self._expanded(pair) for pair in self._said["Environment"].split()]
        # The Python of the tests finds facepipe where it was installed: in the checkout.
        command = ["env", f"PYTHONPATH={PROJECT}", *own, *words]
        output = Path(words[words.index("--output") + 1])
        return Running(self._place, self._net.inside(self._machine.name, command), output, cwd=home)

    def lose(self) -> None:
        """The machine is gone, without a word."""
        self._place.kill()

    def answers(self, probe: str) -> bool:
        """What an orchestrator would hear."""
        with self._net.within(self._machine.name):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{METRICS_PORT}/{probe}", timeout=5).read()
            except OSError:
                return False
            return True

    def _expanded(self, word: str) -> str:
        for specifier, folder in self._specifiers.items():
            word = word.replace(specifier, str(folder))
        return word


@pytest.fixture
def fleet(tmp_path):
    """Makes the three machines with their units for a source, and one more for a camera; they are gone afterwards."""
    with ExitStack() as left:

        def made(source: str, net: Network, machines: dict[str, Machine], more: str = EXACT) -> dict[str, Unit]:
            config = HOUSE
            for name, said in (("desk", "192.168.7.10"), ("door", "192.168.7.20"), ("fast", "fast.local")):
                config = config.replace(said, net.addresses[name])
            detect = "detect: {host: [fast, desk], detector: haar"  # as all tests do that count on faces
            config = config.replace("detect: {host: [fast, desk]", detect) + more
            Path("house.yaml").write_text(config)
            words = ["deploy", "systemd", "--config", "house.yaml", "--output", "deploy", "--source", source]
            assert facepipe.main([*words, "--fps", "6"]) == 0
            units = {name: Unit(net, machines[name], Path("deploy") / name) for name in NAMES}
            for unit in units.values():
                left.callback(unit.lose)
            return units

        def built():
            net, machines = left.enter_context(network(tmp_path / "net", "", *NAMES, "eye"))
            return net, lambda source, **more: made(source, net, machines, **more)

        yield built


@pytest.fixture(scope="module")
def alone(slow_film, tmp_path_factory) -> bytes:
    """What one machine writes of the same film, with the stages of the example."""
    with somewhere(tmp_path_factory.mktemp("alone")) as here:
        (here.folder / "alone.yaml").write_text("stages: {detect: {detector: haar}, gender: {}, age: {}}\n")
        return here.run(slow_film, config=here.folder / "alone.yaml").succeeded().results


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["lost", "drained"])
def test_a_film_is_the_same_to_the_byte_whatever_node_is_lost_or_drained_and_comes_back(
    fleet, slow_film, alone, number
):
    _, made = fleet()
    units = made(str(slow_film), more=f"{EXACT}pace: true\n")
    runs = {name: unit.start() for name, unit in units.items()}
    desk = runs["desk"].until_lines(6)
    eventually(lambda: all(units[name].answers("ready") for name in NAMES), "every unit is ready")
    ends = {"fast": 0, "door": 143, "desk": 143}  # of a Job: it is not done
    for name in ("fast", "door", "desk"):
        if number == signal.SIGKILL:
            units[name].lose()
        else:
            runs[name].signal(number)
        assert runs[name].end(alone=False).status == (-number if number == signal.SIGKILL else ends[name])
        if name == "fast":  # The only one that has gender.
            eventually(lambda: not units["door"].answers("ready"), "door waits for a stage")
            assert units["door"].answers("live")
        runs[name] = units[name].start()
        before = desk.line_count
        runs["desk"].until(lambda before=before: desk.line_count > before or desk.line_count == 32, f"{name} is back")
    ended = [runs[name].end(timeout_s=120) for name in ("door", "desk")]
    assert [ran.status for ran in ended] == [0, 0], [ran.err for ran in ended]
    assert ended[-1].results == alone
    assert units["desk"].start().end().status == 0  # It is done, and says so however often it is started.
    assert ended[-1].results == alone
    assert runs["fast"].signal(signal.SIGTERM).end().status == 0


def lost(output: Path) -> set[int]:
    """The frames that account.jsonl counts."""
    account = output / "account.jsonl"
    entries = [json.loads(line) for line in account.read_text().splitlines()] if account.exists() else []
    dropped = [entry for entry in entries if entry["what"] == "dropped"]
    return {frame for entry in dropped for frame in range(entry["first"], entry["last"] + 1)}


def test_a_camera_is_looked_for_while_it_is_gone_and_an_update_counts_every_frame(fleet, astronaut):
    net, made = fleet()
    with ExitStack() as opened:
        with net.within("eye"):
            door = opened.enter_context(
                camera(lambda number: scene(astronaut, number), rate=6, host=net.addresses["eye"])
            )
        units = made(door.url)
        runs = {name: unit.start() for name, unit in units.items()}
        desk = runs["desk"].until_lines(10)
        eventually(lambda: all(units[name].answers("ready") for name in NAMES), "every unit is ready")
        net.pull("eye")
        runs["door"].until(lambda: "lost" in runs["door"].err, "the camera missed")
        before = desk.line_count
        assert all(units[name].answers("live") and units[name].answers("ready") for name in NAMES)
        net.plug_in("eye")
        desk.until(lambda: desk.line_count > before + 10, "the camera found again")
        for name in ("desk", "door", "fast"):  # An update: one after the other is ended in order, and begun again.
            assert runs[name].signal(signal.SIGTERM).end().status == 0
            runs[name] = units[name].start()
            before = desk.line_count
            runs[name].until(lambda before=before: desk.line_count > before + 10, f"frames after the update of {name}")
        statuses = [runs[name].signal(signal.SIGTERM).end().status for name in ("door", "desk", "fast")]
    assert statuses == [0, 0, 0]
    frames = [json.loads(line)["frame"] for line in (desk.output / "results.jsonl").read_text().splitlines()]
    assert frames == sorted(set(frames)) and not lost(desk.output) & set(frames)
    assert lost(desk.output) | set(frames) >= set(range(frames[-1]))  # Every frame that was read is accounted for.
    assert not desk.output.with_name(f"{desk.output.name}-2").exists()
