"""What a broker and its subscribers get of a run, whatever is done to the broker, the network and this process."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.connect.client import Client, ConnectionTrouble
from stages.connect.endpoints import Broker
from tests.browser import free_port, until
from tests.connect.broker import certificates, heard, mosquitto, slow
from tests.connect.run_folder import Sending, WrittenRun, appeared, left

PICTURE = b"\xff\xd8 a picture \xff\xd9"


@pytest.fixture
def run(tmp_path: Path) -> WrittenRun:
    return WrittenRun(tmp_path / "run")


def to(url: str, more: str = "") -> str:
    return f"mqtt: {{broker: '{url}'{more}}}\n"


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_events_arrive_in_their_order_with_an_id_each(tmp_path, run, qos):
    run.appends(appeared(1), left(1))
    with (
        mosquitto(tmp_path) as broker,
        heard(broker.port) as subscriber,
        Sending(run.path, to(broker.url, f", qos: {qos}")) as sending,
    ):
        subscriber.until(lambda s: len(s.events()) == 2, "what was there")
        run.appends(appeared(2))
        run.ends()
        assert sending.ends() == 0
        subscriber.until(lambda s: len(s.events()) == 3, "what came later")
        events = subscriber.events()
    assert [(event["event"], event["id"]) for event in events] == [("appeared", 1), ("left", 1), ("appeared", 2)]
    assert all(event["run"] == "run-1" and event["source"] == "door" for event in events)
    assert len({event["event_id"] for event in events}) == 3


def test_a_late_subscriber_gets_the_state_and_no_old_events(tmp_path, run):
    run.appends(appeared(1), appeared(2), left(1), {"event": "entered", "id": 2, "zone": "hall"})
    run.appends({"event": "crossed", "id": 2, "line": "gate", "direction": "in"})
    counts = {"now": 1, "total": 2, "zones": {"hall": 1}, "lines": {"gate": {"in": 1, "out": 0}}}
    with mosquitto(tmp_path) as broker, Sending(run.path, to(broker.url)):
        with heard(broker.port) as early:
            early.until(lambda s: json.loads(s.last("facepipe/door/people") or "{}") == counts, "the counts")
        with heard(broker.port) as late:
            late.until(lambda s: s.at("facepipe/door/people"), "a retained message")
            assert json.loads(late.last("facepipe/door/people")) == counts
            assert late.last("facepipe/status") == b"online" and late.events() == []


def test_home_assistant_is_told_of_sensors_events_and_a_camera(tmp_path, run):
    run.appends(appeared(1), {"event": "entered", "id": 1, "zone": "the hall's door"})
    pictures = run.path / ".facepipe.connect"
    pictures.mkdir()
    (pictures / "_.jpg").write_bytes(PICTURE)
    with (
        mosquitto(tmp_path) as broker,
        heard(broker.port) as subscriber,
        Sending(run.path, to(broker.url, ", picture: 1")),
    ):
        subscriber.until(lambda s: any("zone" in topic for topic, _, _ in s.messages), "the zone")
        subscriber.until(lambda s: s.at("facepipe/door/picture"), "the picture")
        told = {topic: json.loads(payload) for topic, payload, _ in subscriber.messages if topic.endswith("/config")}
        assert subscriber.last("facepipe/door/picture") == PICTURE
    # What Home Assistant's pages "MQTT Sensor", "MQTT Event" and "MQTT Camera" call required.
    required = {"sensor": {"state_topic"}, "event": {"state_topic", "event_types"}, "camera": {"topic"}}
    for topic, payload in told.items():
        prefix, component, unique, _ = topic.split("/")
        assert prefix == "homeassistant" and required[component] <= payload.keys() and payload["unique_id"] == unique
        assert payload["availability_topic"] == "facepipe/status" and payload["device"]["identifiers"]
    assert {topic.split("/")[1] for topic in told} == required.keys()
    [zone] = [payload for payload in told.values() if "zone" in payload["unique_id"]]
    assert zone["value_template"] == r"{{ value_json.zones['the hall\'s door'] }}"


def test_a_broker_that_is_restarted_misses_no_event(tmp_path, run):
    with mosquitto(tmp_path) as broker, heard(broker.port) as subscriber, Sending(run.path, to(broker.url)) as sending:
        run.appends(appeared(1))
        subscriber.until(lambda s: len(s.events()) == 1, "the first event")
        broker.kill()
        sending.says("events wait in events.jsonl")
        run.appends(*map(appeared, range(2, 200)))
        broker.start()
        subscriber.until(lambda s: {event["id"] for event in s.events()} == set(range(1, 200)), "all events")
        said = sending.says("is there again")
    assert said.count("\n") == 2, "once for each change, and not for each attempt"


def test_what_was_confirmed_is_not_sent_again_after_a_kill_and_nothing_is_left_out(tmp_path, run):
    run.appends(*map(appeared, range(3000)))
    with mosquitto(tmp_path) as broker, heard(broker.port) as subscriber:
        with Sending(run.path, to(broker.url)) as sending:
            subscriber.until(lambda s: len(s.events()) > 200, "some")
            sending.kill()
            subscriber.until(lambda s: s.last("facepipe/status") == b"offline", "the last will")
        run.ends()
        with Sending(run.path, to(broker.url)) as sending:
            assert sending.ends() == 0
        subscriber.until(lambda s: s.events()[-1]["id"] == 2999, "the last one")
        events = subscriber.events()
        assert subscriber.last("facepipe/status") == b"offline"
        assert json.loads(subscriber.last("facepipe/door/people"))["total"] == 3000
    first = {event["event_id"]: event["id"] for event in events}
    assert sorted(first.values()) == list(range(3000)), "a repeat has the ID of the first"


def test_ten_thousand_events_at_once_arrive_each_once(tmp_path, run):
    run.appends(*map(appeared, range(10_000)))
    run.ends()
    with mosquitto(tmp_path) as broker, heard(broker.port) as subscriber, Sending(run.path, to(broker.url)) as sending:
        assert sending.ends() == 0
        subscriber.until(lambda s: len(s.events()) >= 10_000, "all")
        assert [event["id"] for event in subscriber.events()] == list(range(10_000))


def test_a_wrong_password_is_said_once_and_a_right_one_is_in_no_process_list(tmp_path, run):
    run.appends(appeared(1))
    passwords = tmp_path / "passwords"
    subprocess.run([shutil.which("mosquitto_passwd"), "-b", "-c", passwords, "anna", "correct horse"], check=True)
    config = f"password_file {passwords}\nallow_anonymous false\n"
    user = ", user: anna, password: env:DOOR_PASSWORD"
    with mosquitto(tmp_path, config) as broker:
        with Sending(run.path, to(broker.url, user), DOOR_PASSWORD="wrong") as sending:
            said = sending.says("refuses the connection: Not authorized")
            assert "wrong" not in said
        with (
            heard(broker.port, username="anna", password="correct horse") as subscriber,
            Sending(run.path, to(broker.url, user), DOOR_PASSWORD="correct horse") as sending,
        ):
            subscriber.until(lambda s: s.events(), "the event")
            arguments = Path(f"/proc/{sending.process.pid}/cmdline").read_bytes()
            assert b"horse" not in arguments and "horse" not in sending.said


def test_an_event_that_the_brokers_acl_refuses_waits_until_it_is_allowed(tmp_path, run):
    run.appends(appeared(1))
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite facepipe/status\ntopic read #\n")
    config = f"allow_anonymous true\nacl_file {acl}\n"
    with mosquitto(tmp_path, config) as broker, Sending(run.path, to(broker.url)) as sending:
        sending.says("refuses events at facepipe/door/event: Not authorized")
        sending.says("events wait in events.jsonl")
        broker.kill()
        acl.write_text("topic readwrite #\n")
        broker.start()
        with heard(broker.port) as subscriber:
            subscriber.until(lambda s: s.events(), "the event")


def test_tls_trusts_a_ca_of_ones_own_and_nobody_else(tmp_path, run):
    run.appends(appeared(1))
    made = certificates(tmp_path / "certificates")
    port = free_port()
    config = (
        f"allow_anonymous true\nlistener {port} 127.0.0.1\nallow_anonymous true\n"
        f"certfile {made}/server.pem\nkeyfile {made}/server.key\n"
    )
    with mosquitto(tmp_path, config) as broker, heard(broker.port) as subscriber:
        with Sending(run.path, to(f"mqtts://127.0.0.1:{port}")) as sending:
            sending.says("has a certificate that is not trusted")
        with Sending(run.path, to(f"mqtts://localhost:{port}", ", ca: certificates/ca.pem")) as sending:
            sending.says("has a certificate that is not trusted: Hostname mismatch")
        with Sending(run.path, to(f"mqtts://127.0.0.1:{port}", ", ca: certificates/ca.pem")):
            subscriber.until(lambda s: s.events(), "the event")


def test_through_a_slow_network_all_events_arrive(tmp_path, run):
    run.appends(*map(appeared, range(60)))
    run.ends()
    with mosquitto(tmp_path) as broker, heard(broker.port) as subscriber, slow(broker.port, 5000) as port:
        with Sending(run.path, to(f"mqtt://127.0.0.1:{port}")) as sending:
            assert sending.ends() == 0
        assert {event["id"] for event in subscriber.events()} == set(range(60))


def test_a_picture_that_a_broker_does_not_take_holds_up_no_event(tmp_path, run):
    pictures = run.path / ".facepipe.connect"
    pictures.mkdir()
    (pictures / "_.jpg").write_bytes(bytes(200_000))
    with (
        mosquitto(tmp_path, "allow_anonymous true\nmax_packet_size 5000\n") as broker,
        heard(broker.port) as subscriber,
        Sending(run.path, to(broker.url, ", picture: 1")) as sending,
    ):
        sending.says("no more pictures are sent")
        run.appends(appeared(1))
        subscriber.until(lambda s: s.events(), "the event")


@contextmanager
def answering(answer: bytes, heard_bytes: list[bytes] | None = None, closes: bool = False):
    """Something that is no broker: it says this to everybody who connects; `closes`: and then no more."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                visitor, _ = server.accept()
                asked = visitor.recv(1000)
                if heard_bytes is not None:
                    heard_bytes.append(asked)
                visitor.sendall(answer)
                if closes:
                    visitor.shutdown(socket.SHUT_WR)
            except OSError:
                return
            kept.append(visitor)

    kept = []
    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"mqtt://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()
        for visitor in kept:
            visitor.close()


WELCOME = b"\x20\x03\x00\x00\x00"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        WELCOME + b"\x00" * 50,
        WELCOME + b"\x40\x02\xff\xff" + b"\x30\x03\x00\x09\xff",  # about a message that was never sent; a torn topic
        WELCOME + b"\x30\xff\xff\xff\xff\xff",
    ],
)
def test_what_is_no_broker_is_said_and_harms_nothing(tmp_path, run, answer):
    run.appends(appeared(1))
    with answering(answer) as url, Sending(run.path, to(url)) as sending:
        sending.says("events wait in events.jsonl")
        assert sending.process.poll() is None and "Traceback" not in sending.said


@given(nonsense=st.binary(min_size=1, max_size=300))
def test_whatever_bytes_follow_its_welcome_are_at_most_the_end_of_the_connection(nonsense):
    broker = Broker("127.0.0.1", 0, False, None, None, None, None, None, "facepipe", 1, None, None)
    with (
        answering(WELCOME + nonsense, closes=True) as url,
        pytest.raises(ConnectionTrouble),
        closing(Client(replace(broker, port=int(url.rpartition(":")[2])))) as client,
    ):
        client.publish("facepipe/door/event", "{}")
        while True:
            client.turn(0.1)
            list(client.acknowledged())


def test_a_broker_that_does_not_know_mqtt_5_is_spoken_to_in_3_1_1(run):
    asked: list[bytes] = []
    unknown_version = b"\x20\x02\x00\x01"
    with answering(unknown_version, asked) as url, Sending(run.path, to(url)):
        until(lambda: len(asked) >= 3, "three attempts")
    versions = [packet[packet.index(b"MQTT") + 4] for packet in asked[:3]]
    assert versions == [5, 4, 5]


def test_a_name_that_nobody_knows_and_a_port_that_nobody_has(run):
    for url, why in (
        ("mqtt://no-such-broker.invalid", "its name is not known"),
        (f"mqtt://127.0.0.1:{free_port()}", "Connection refused"),
    ):
        with Sending(run.path, to(url)) as sending:
            sending.says(why)


def test_a_second_process_for_one_folder_is_refused(tmp_path, run):
    with mosquitto(tmp_path) as broker, heard(broker.port) as subscriber, Sending(run.path, to(broker.url)):
        subscriber.until(lambda s: s.at("facepipe/status"), "the first one")
        with Sending(run.path, to(broker.url)) as second:
            assert second.ends() == 2
            assert "sends the events in" in second.said


def test_a_folder_without_a_run_and_a_configuration_without_a_destination_are_refused(tmp_path, run):
    with Sending(tmp_path, to("mqtt://localhost")) as sending:
        assert sending.ends() == 2 and "no run" in sending.said
    with Sending(run.path, "") as sending:
        assert sending.ends() == 2 and "neither mqtt.broker nor webhooks" in sending.said


def test_a_link_in_place_of_its_own_folder_is_refused(tmp_path, run):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (run.path / ".facepipe.connect").symlink_to(elsewhere)
    with Sending(run.path, to("mqtt://localhost")) as sending:
        assert sending.ends() == 2 and "it is a symbolic link" in sending.said
    assert list(elsewhere.iterdir()) == []


def test_another_run_in_the_folder_is_sent_from_its_beginning(tmp_path, run):
    run.appends(appeared(1))
    with mosquitto(tmp_path) as broker, heard(broker.port) as subscriber, Sending(run.path, to(broker.url)):
        subscriber.until(lambda s: len(s.events()) == 1, "the event of the first run")
        run.events.unlink()
        run.begins("run-2")
        run.appends(appeared(1))
        subscriber.until(lambda s: [event["run"] for event in s.events()] == ["run-1", "run-2"], "both")
        until(lambda: json.loads(subscriber.last("facepipe/door/people"))["total"] == 1, "it is counted anew")
