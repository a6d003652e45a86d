"""Secrets and certificates: where they may be, and that none is ever said."""

from __future__ import annotations

import pytest

from stages.config.load import read_config
from stages.config.schema import ConfigError
from stages.connect.endpoints import Endpoints


def endpoints(folder, text: str, **environment: str) -> Endpoints:
    return Endpoints.of(read_config(text, "pipeline.yaml"), folder, environment)


def test_secrets_come_from_the_environment_or_from_files_beside_the_configuration(tmp_path):
    (tmp_path / "password").write_text("a secret with spaces \r\n")
    config = "mqtt: {broker: 'mqtts://[::1]', user: anna, password: file:password}\n"
    config += "webhooks: {yard: {url: env:HOOK, secret: env:KEY}}\n"
    found = endpoints(tmp_path, config, HOOK="https://example.org:8443/hook/abc?token=1", KEY="k")
    assert found.broker.password == "a secret with spaces " and found.hooks[0].secret == "k"
    assert (found.broker.shown, found.hooks[0].shown) == ("mqtts://[::1]:8883", "https://example.org:8443")
    assert Endpoints.from_json(found.to_json()) == found


def test_the_zones_and_lines_of_each_source_are_known_before_anybody_comes(tmp_path):
    line, zone = "[[0, 0], [1, 1]]", "[[0, 0], [1, 0], [1, 1]]"
    alone = f"mqtt: {{broker: mqtt://h}}\nzones: {{hall: {zone}}}\nlines: {{gate: {line}}}\n"
    assert endpoints(tmp_path, alone).areas == {"": [["hall"], ["gate"]]}
    several = f"sources: {{door: 0, yard: 1}}\nzones: {{yard: {{bench: {zone}}}}}\n"
    assert endpoints(tmp_path, several).areas == {"door": [[], []], "yard": [["bench"], []]}


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("mqtt: {broker: mqtt://h, user: u, password: env:UNSET}", "UNSET is not set"),
        ("mqtt: {broker: mqtt://h, user: u, password: env:EMPTY}", "EMPTY is empty"),
        ("mqtt: {broker: mqtt://h, user: u, password: file:none}", "No such file"),
        ("mqtt: {broker: mqtt://h, user: u, password: file:two}", "no single line"),
        ("mqtt: {broker: mqtt://h, user: u, password: file:.}", "Is a directory"),
        ("mqtt: {broker: mqtts://h, ca: two}", "no certificate"),
        ("mqtt: {broker: mqtts://h, certificate: two}", "no certificate"),
        ("webhooks: {yard: {url: env:HOOK}}", "is no address"),
        ("webhooks: {yard: {url: https://h, ca: none}}", "No such file"),
    ],
)
def test_what_is_not_there_is_said_with_its_key(tmp_path, text, complaint):
    (tmp_path / "two").write_text("two\nlines\n")
    with pytest.raises(ConfigError, match=complaint) as refused:
        endpoints(tmp_path, text, EMPTY="", HOOK="ftp://anna:hunter2@example.org")
    assert str(refused.value).startswith(("mqtt.", "webhooks.yard.")) and "hunter2" not in str(refused.value)


def test_two_sources_that_would_have_one_topic_are_refused(tmp_path):
    text = "sources: {front.door: 0, front_door: 1}"
    with pytest.raises(
        ConfigError, match=r"sources.front.door and sources.front_door would both be front_door in MQTT"
    ):
        endpoints(tmp_path, f"mqtt: {{broker: mqtt://h}}\n{text}")
    endpoints(tmp_path, text)  # Without a broker nothing is wrong with them.


@pytest.mark.parametrize(
    "text",
    [
        "mqtt: {broker: 'mqtt://anna:hunter2@example.org'}",
        "mqtt: {broker: mqtt://h, user: u, password: hunter2}",
        "webhooks: {yard: {url: 'https://anna:hunter2@example.org/'}}",
        "webhooks: {yard: {url: 'https://h', secret: hunter2}}",
    ],
)
def test_a_secret_in_the_configuration_is_refused_and_not_repeated(text):
    with pytest.raises(ConfigError) as refused:
        read_config(text, "pipeline.yaml")
    assert "pipeline.yaml:1" in str(refused.value) and "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("mqtt: {user: anna}", "no broker"),
        ("mqtt: {broker: mqtt://h}\nrender: {events: false}", "render.events or render.track is false"),
        ("mqtt: {broker: mqtt://h, password: env:P}", "without mqtt.user"),
        ("mqtt: {broker: mqtt://h, ca: x}", "begin it with mqtts://"),
        ("mqtt: {broker: mqtts://h, key: x}", "without mqtt.certificate"),
        ("mqtt: {broker: mqtt://h, topic: 'a/#'}", "mqtt.topic is"),
        ("mqtt: {broker: 'mqtt://h:70000'}", "write mqtt://HOST:PORT"),
        ("webhooks: {yard: {}}", "needs a url"),
        ("webhooks: {yard: {url: http://h, ca: x}}", "begin it with https://"),
        ("webhooks: {yard: {url: http://h}, Yard: {url: http://h}}", "differ only in case"),
        ("webhooks: {a/b: {url: http://h}}", "no name for a webhook"),
        ("webhooks: {yard: {url: http://h, events: [apeared]}}", "write a list of appeared"),
    ],
)
def test_contradictions_are_one_sentence_with_the_line(text, complaint):
    with pytest.raises(ConfigError, match=complaint) as refused:
        read_config(text, "pipeline.yaml")
    assert str(refused.value).startswith("pipeline.yaml:1: ")
