"""A run that Prometheus looks at."""

from __future__ import annotations

import socket
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

import run_pipeline
from tests.browser import free_port
from tests.end_to_end.command import eventually


def scraped(port: int) -> dict[tuple, float]:
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def test_a_run_is_told_about_while_its_stages_die(place, slow_film):
    port = free_port()
    run = place.start(slow_film, "--set=pace=true", "--metrics", str(port)).until_lines(6)
    assert f"metrics at http://127.0.0.1:{port}/metrics" in run.err
    rendered = ("facepipe_frames_rendered_total", "slow.mp4")
    eventually(lambda: scraped(port).get(rendered, 0) >= 4, "four frames")
    before = scraped(port)
    for probe in ("live", "ready"):
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/{probe}", timeout=10).read() == b"yes\n"
    for stage in ("render", "capture", "age"):
        run.stages()[stage][0].kill()
    run.until_lines(run.line_count + 6)
    eventually(lambda: scraped(port)[rendered] > before[rendered] + 2, "more frames")
    after = scraped(port)
    back = {key for key, value in before.items() if after[key] < value and key[0] != "facepipe_waiting"}
    assert back == set()
    assert {after["facepipe_restarts_total", stage] for stage in ("render", "capture", "age")} == {1}
    latency = after["facepipe_latency_seconds_count", "slow.mp4"]
    for stage in ("detect", "gender", "emotion", "age", "render"):
        assert after["facepipe_service_seconds_count", "slow.mp4", stage] > 0
    assert after["facepipe_queue_seconds_count", "slow.mp4", "detect"] >= latency > 0
    run.end().succeeded()


def test_a_port_that_is_taken_and_options_that_are_none_are_one_sentence_and_status_2(place, film, monkeypatch, capsys):
    port = free_port()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place.runtime))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert run_pipeline.main(["--metrics", str(port), str(film)]) == 2
    why = f"127.0.0.1 port {port} cannot be opened: Address already in use"
    assert capsys.readouterr().err == f"facepipe: --metrics {port}: {why}; choose another one.\n"
    alone = ["--metrics-host", "0.0.0.0"], "--metrics-host says where, and nothing is there without --metrics PORT;"
    for wrong in ("0", "70000", "many"):
        none = f"--metrics: {wrong} is not a port, a whole number from 1 to 65535"
        for options, sentence in (alone, (["--metrics", wrong], none)):
            with pytest.raises(SystemExit, match="2"):
                run_pipeline.main(options)
            assert capsys.readouterr().err.startswith(f"facepipe: {sentence}")
