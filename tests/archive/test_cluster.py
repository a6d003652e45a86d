"""An archive on a cluster of Ray with several machines, one of which is lost, and in S3."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.archive.archives import (
    archived,
    archiving,
    digest,
    face_film,
    faces_in,
    hashes,
    in_progress,
    parts_in,
    plain,
    states,
    wait_until,
)

pytest.importorskip("ray")
pytestmark = pytest.mark.long

PARTS = "--part-minutes=0.02"  # 30 frames
STORE_BYTES = 80_000_000


@pytest.fixture(scope="module")
def films(tmp_path_factory, astronaut) -> tuple[Path, dict[str, str]]:
    """Two films, and what the ordinary pipeline writes about each."""
    folder = tmp_path_factory.mktemp("films")
    films = [face_film(folder / f"{name}.mp4", astronaut, 500, 25, phase) for phase, name in enumerate("xy")]
    return folder, {film.name: digest(plain(film, folder / "plain" / film.stem)) for film in films}


@contextmanager
def cluster(machines: int) -> Iterator:
    """A cluster of machines with one core each, and one more that only coordinates them."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        made.workers = [made.add_node(num_cpus=1, object_store_memory=STORE_BYTES) for _ in range(machines)]
        made.wait_for_nodes()
        yield made
    finally:
        made.shutdown()


def test_one_machine_and_two_with_other_parts_write_the_same_also_where_one_is_lost_in_the_middle(films, tmp_path):
    folder, expected = films
    with cluster(1) as one:
        longer = "--part-minutes=0.05"  # than the parts below
        ran = archived(f"{folder}/*.mp4", "--output", tmp_path / "one", longer, "--ray", one.address)
        assert ran.returncode == 0, ran.stderr
        assert "on 1 core" in ran.stderr and hashes(tmp_path / "one") == expected
    with (
        cluster(2) as two,
        archiving(f"{folder}/*.mp4", "--output", tmp_path / "two", PARTS, "--ray", two.address) as process,
    ):
        wait_until(lambda: len(parts_in(tmp_path / "two")) > 4, process)
        two.remove_node(two.workers[0], allow_graceful=False)
        _, said = process.communicate(timeout=110)
        assert process.returncode == 0, said
        assert "on 2 cores" in said and "Traceback" not in said
    assert hashes(tmp_path / "two") == expected and in_progress(tmp_path / "two") == []


def test_where_no_cluster_is_the_address_is_refused(films, tmp_path):
    ran = archived(f"{films[0]}/*.mp4", "--output", tmp_path / "output", "--ray", "127.0.0.1:1")
    assert ran.returncode == 2 and "there is no Ray cluster at 127.0.0.1:1" in ran.stderr.splitlines()[-1]
    assert not (tmp_path / "output").exists()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server that speaks S3, in a process of its own, with the bucket `archive`; returns its address."""
    pytest.importorskip("moto")
    boto3 = pytest.importorskip("boto3")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _answers(port), process)
            at = f"http://127.0.0.1:{port}"
            keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
            boto3.client("s3", endpoint_url=at, **keys).create_bucket(Bucket="archive")
            yield at
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as asks:
        return asks.connect_ex(("127.0.0.1", port)) == 0


def test_films_and_results_in_s3_are_those_of_a_folder_and_a_killed_driver_goes_on(films, s3, tmp_path, monkeypatch):
    import fsspec

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    folder, expected = films
    files = fsspec.filesystem("s3", use_listings_cache=False)
    for path in folder.glob("*.mp4"):
        files.put_file(str(path), f"archive/films/a b/{path.name}")
    command = ("s3://archive/films/**/*.mp4", "--output", "s3://archive/results", PARTS)
    with archiving(*command) as process:
        wait_until(lambda: [name for name in files.find("archive/results") if name.endswith(".part")], process)
        process.kill()
    ran = archived(*command)
    assert ran.returncode == 0, ran.stderr
    files.get("archive/results", str(tmp_path / "fetched"), recursive=True)
    assert hashes(tmp_path / "fetched") == {f"a b/{name}": value for name, value in expected.items()}
    assert set(states(tmp_path / "fetched").values()) == {"done"} and in_progress(tmp_path / "fetched") == []
    assert faces_in(tmp_path / "fetched").keys() == {f"a b/{name}" for name in expected}
    page = (tmp_path / "fetched" / "archive.html").read_text(encoding="utf-8")
    assert all(f'<th scope="row">a b/{name}</th>' in page for name in expected)
