"""Events of a run at a real broker and a real server, with kills of the process that sends them and of render."""

from __future__ import annotations

import json

import cv2
import numpy as np

from tests.connect.broker import heard, mosquitto
from tests.connect.test_webhooks import server
from tests.end_to_end.command import eventually


def test_a_broker_and_a_server_get_every_event_whatever_is_killed(place, slow_film, tmp_path):
    with mosquitto(tmp_path) as broker, heard(broker.port) as subscriber, server() as there:
        run = place.start(
            slow_film,
            "--set=pace=true",
            f"--set=mqtt.broker={broker.url}",
            "--set=mqtt.picture=0.5",
            f"--set=webhooks.yard.url={there.url}",
        )
        run.until(lambda: subscriber.events("slow_mp4") and there.requests, "the first event")
        run.until(lambda: subscriber.last("facepipe/slow_mp4/picture"), "a picture")
        for stage in ("connect", "render"):
            run.stages()[stage][0].kill()
        ran = run.end()
        assert ran.status == 0, ran.err
        written = [json.loads(line) for line in (ran.output / "events.jsonl").read_text().splitlines()]
        eventually(lambda: subscriber.last("facepipe/status") == b"offline", "the good-bye")
        picture = cv2.imdecode(np.frombuffer(subscriber.last("facepipe/slow_mp4/picture"), np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        for told in (subscriber.events("slow_mp4"), there.events):
            by_id = {event.pop("event_id"): event for event in told}
            assert [{key: said for key, said in event.items() if key != "run"} for event in by_id.values()] == written
        counts = json.loads(subscriber.last("facepipe/slow_mp4/people"))
        assert counts["now"] == 0 and counts["total"] == sum(event["event"] == "appeared" for event in written) > 0
        assert ran.summary["connect"]["mqtt"]["sent"] == ran.summary["connect"]["webhook-yard"]["sent"] == len(written)
    assert "very-secret" not in ran.err + ran.out


def test_a_broker_that_is_away_holds_nothing_up_and_its_events_are_sent_later(place, slow_film, tmp_path):
    with mosquitto(tmp_path) as broker:
        broker.kill()
        ran = place.run(slow_film, f"--set=mqtt.broker={broker.url}")
        assert ran.status == 0 and "cannot be reached: Connection refused" in ran.err
        waiting = ran.summary["connect"]["mqtt"]["waiting"]
        assert waiting > 0 and f"mqtt: {waiting} events not sent yet;" in ran.err
        broker.start()
        with heard(broker.port) as subscriber:
            later = place.stage("connect", str(ran.output), f"--set=mqtt.broker={broker.url}").end()
            assert later.status == 0, later.err
            eventually(lambda: len(subscriber.events("slow_mp4")) == waiting, "all events")


def test_a_secret_that_is_not_there_is_refused_before_anything_is_made(place, film):
    ran = place.run(film, "--set=mqtt.broker=mqtt://h", "--set=mqtt.user=a", "--set=mqtt.password=env:NO_SUCH_NAME")
    assert ran.status == 2 and "mqtt.password: the environment variable NO_SUCH_NAME is not set" in ran.complaint
    assert not ran.output.exists()
