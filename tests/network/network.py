"""A network of its own for a test: machines are network namespaces, cabled (veth pairs) to a switch (a bridge).

Needs root and iproute2. Delay comes from netem where the kernel has it, else from a slow line (tbf); loss from netem or
from iptables. Nothing outside of the namespaces made here is touched.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from stages.transport.curve import new_pair
from stages.transport.keys import make_keys
from tests.end_to_end.command import PROJECT, Running, Workplace, somewhere

CONFIG = "house.yaml"


class Network:
    """Machines by name, with addresses 10.77.7.1, 10.77.7.2, … in the order of their names."""

    def __init__(self, names: tuple[str, ...], prefix: str):
        self._names = names
        self._of = {name: f"{prefix}-{name}" for name in names}
        self._hub = f"{prefix}-hub"
        self.addresses = {name: f"10.77.7.{place}" for place, name in enumerate(names, 1)}

    def build(self) -> None:
        _ip("netns", "add", self._hub)
        self._in(self._hub, "ip", "link", "add", "switch", "up", "type", "bridge")
        for name, namespace in self._of.items():
            _ip("netns", "add", namespace)
            self._in(self._hub, "ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", namespace)
            self._in(self._hub, "ip", "link", "set", name, "master", "switch", "up")
            self._in(namespace, "ip", "address", "add", f"{self.addresses[name]}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                self._in(namespace, "ip", "link", "set", device, "up")

    def remove(self) -> None:
        for namespace in (*self._of.values(), self._hub):
            subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, check=False)

    def pull(self, name: str) -> None:
        """Pull the cable of a machine out of the switch."""
        self._in(self._hub, "ip", "link", "set", name, "down")

    def plug_in(self, name: str) -> None:
        self._in(self._hub, "ip", "link", "set", name, "up")

    def spoil(self, name: str, delay_ms: int, loss: float) -> None:
        """Make the line of a machine slow, and let it lose this share of all packets in either direction."""
        ends = (self._hub, name), (self._of[name], "eth0")
        for namespace, device in ends:
            netem = ("netem", "delay", f"{delay_ms}ms", "loss", f"{100 * loss}%")
            if self._try(namespace, "tc", "qdisc", "add", "dev", device, "root", *netem):
                continue
            if shutil.which("iptables") is None:
                pytest.skip("this kernel has no netem; install iptables to lose packets without it")
            slow = ("tbf", "rate", "20mbit", "burst", "20kb", "latency", f"{4 * delay_ms}ms")
            self._in(namespace, "tc", "qdisc", "add", "dev", device, "root", *slow)
            if namespace != self._hub:  # There packets pass through a bridge, which iptables does not see.
                lossy = ("-m", "statistic", "--mode", "random", "--probability", str(loss), "-j", "DROP")
                for chain in ("INPUT", "OUTPUT"):
                    self._in(namespace, "iptables", "-A", chain, *lossy)

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        """Sockets that this thread opens meanwhile are a machine's own."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as ours, open(f"/run/netns/{self._of[name]}") as theirs:
            if libc.setns(theirs.fileno(), 0):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                libc.setns(ours.fileno(), 0)

    def inside(self, name: str, command: list[str]) -> list[str]:
        """A command as it is given on a machine."""
        return ["ip", "netns", "exec", self._of[name], *command]

    def _in(self, namespace: str, *command: str) -> None:
        _run("ip", "netns", "exec", namespace, *command)

    def _try(self, namespace: str, *command: str) -> bool:
        tried = subprocess.run(["ip", "netns", "exec", namespace, *command], capture_output=True, check=False)
        return tried.returncode == 0


class Machine:
    """One of the machines, with a folder, keys and a runtime directory of its own."""

    def __init__(self, network: Network, name: str, place: Workplace):
        self.name, self.place, self._network = name, place, network

    def run(self, *options: str, source: Path | None = None) -> Running:
        """Give the command there, with the configuration that all have."""
        arguments = [sys.executable, str(PROJECT / "run_pipeline.py"), "--config", str(self.place.folder / CONFIG)]
        arguments += ["--output", str(self.place.folder / "out"), "--display", "none"]
        arguments += ["--set", "stages.detect.detector=haar"]  # as all tests do that count on faces
        arguments += ["--source", str(source)] if source else []
        command = self._network.inside(self.name, [*arguments, *options])
        return Running(self.place, command, self.place.folder / "out")

    def crash(self) -> None:
        """What a power cut does to its processes."""
        self.place.kill()


@contextmanager
def network(folder: Path, config: str, *names: str) -> Iterator[tuple[Network, dict[str, Machine]]]:
    """Machines with this configuration, in which `hosts` and `keys` are added; they are gone afterwards."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("network namespaces need Linux and root")
    if missing := [tool for tool in ("ip", "tc") if shutil.which(tool) is None]:
        pytest.skip(f"needs {missing[0]}, which is part of iproute2")
    net = Network(names, f"fp{os.getpid()}")
    with ExitStack() as left:
        left.callback(net.remove)
        try:
            net.build()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"this system does not let us make network namespaces: {error.stderr.decode().strip()}")
        make_keys(folder / "keys", names, new_pair)
        machines = {}
        for name in names:
            home = folder / name
            (home / "keys").mkdir(parents=True, mode=0o700)
            for file in ((folder / "keys").glob("*.public"), (folder / "keys").glob(f"{name}.secret")):
                for key in file:
                    shutil.copy2(key, home / "keys")
            hosts = ", ".join(f"{name}: {{address: {address}}}" for name, address in net.addresses.items())
            (home / CONFIG).write_text(f"hosts: {{{hosts}}}\nkeys: keys\n{config}\n")
            machines[name] = Machine(net, name, left.enter_context(somewhere(home)))
        yield net, machines


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True)
