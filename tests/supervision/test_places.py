"""Addresses of a run on several machines, and which of them this machine is."""

from __future__ import annotations

import socket

import pytest

from stages.config.load import read_config
from stages.config.schema import ConfigError, Pipeline
from stages.supervision.places import Places, this_host

CONFIG = """
hosts:
  desk: {address: 192.168.7.10}
  shed: {address: shed.local, port: 5700}
  barn: {address: "fd00::3"}
sources: {door: 0, yard: 1}
capture: {host: {yard: shed}}
stages: {detect: {host: shed}, gender: {}, age: {host: barn}}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> str:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return f"ipc://{tmp_path}/facepipe-5600"


def test_on_one_machine_everything_is_within_it(folder):
    places = Places.of(Pipeline(), "")
    assert (places.render, places.captures, places.owners) == (f"{folder}/render", (f"{folder}/capture-0",), {})
    assert (places.binds("render", 0), places.binds("capture", 0)) == ((f"{folder}/render",), (f"{folder}/capture-0",))
    assert places.binds("gender", 0) == ()


def test_within_a_machine_links_are_ipc_and_between_machines_tcp(folder):
    pipeline = read_config(CONFIG, "p")
    at_desk, at_barn = Places.of(pipeline, "desk"), Places.of(pipeline, "barn")
    assert at_desk.render == f"{folder}/render"
    assert at_desk.captures == (f"{folder}/capture-0", "tcp://shed.local:5702")
    assert at_barn.render == "tcp://192.168.7.10:5600"
    assert at_barn.captures == ("tcp://192.168.7.10:5601", "tcp://shed.local:5702")


def test_a_socket_on_another_machine_shows_that_machines_key(folder):
    assert Places.of(read_config(CONFIG, "p"), "desk").owners == {"tcp://shed.local:5702": "shed"}


def test_a_stage_with_peers_on_both_sides_binds_on_both_and_others_only_where_they_have_peers(folder):
    pipeline = read_config(CONFIG, "p")
    assert Places.of(pipeline, "desk").binds("render", 0) == (f"{folder}/render", "tcp://192.168.7.10:5600")
    far = read_config("hosts: {a: {address: x}, b: {address: y}}\nstages: {detect: {host: b}}\ncapture: {host: b}", "p")
    assert Places.of(far, "a").binds("render", 0) == ("tcp://x:5600",)
    assert Places.of(far, "b").binds("capture", 0) == (f"{folder}/capture-0",)


def test_an_address_of_the_sixth_version_stands_in_brackets(folder):
    config = 'hosts: {a: {address: "fd00::3"}, b: {address: y}}\nstages: {detect: {host: b}}'
    assert Places.of(read_config(config, "p"), "b").render == "tcp://[fd00::3]:5600"


def hosts(**addresses: str) -> Pipeline:
    return read_config(f"hosts: {{{', '.join(f'{name}: {{address: {at}}}' for name, at in addresses.items())}}}", "p")


def test_without_hosts_this_machine_has_no_name():
    assert this_host(Pipeline(), None) == ""


def test_this_machine_is_the_host_whose_address_it_has():
    assert this_host(hosts(desk="203.0.113.1", shed="127.0.0.1"), None) == "shed"


def test_or_the_host_whose_name_it_has(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "Shed.example.org")
    assert this_host(hosts(desk="203.0.113.1", shed="203.0.113.2"), None) == "shed"
    assert this_host(hosts(desk="127.0.0.1", shed="127.0.0.2"), None) == "shed"


def test_where_it_cannot_be_told_it_has_to_be_said(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "laptop")
    for addresses, why in ((("203.0.113.1", "203.0.113.2"), "none"), (("127.0.0.1", "127.0.0.2"), "several")):
        pipeline = hosts(desk=addresses[0], shed=addresses[1])
        with pytest.raises(ConfigError, match=rf"this machine is cannot be told .*{why}.* --host NAME"):
            this_host(pipeline, None)
        assert this_host(pipeline, "shed") == "shed"


def test_a_host_that_the_configuration_does_not_have_is_refused():
    with pytest.raises(ConfigError, match="--host moon: this pipeline has no such host; it has desk."):
        this_host(hosts(desk="127.0.0.1"), "moon")
    with pytest.raises(ConfigError, match="--host moon: this pipeline has no such host; it has no hosts."):
        this_host(Pipeline(), "moon")
