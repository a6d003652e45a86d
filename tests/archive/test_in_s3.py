"""The data set and the page of an archive in S3, of a film whose name has to be quoted there and in the data set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.archive.dataset import DATASET, Tables, table_names
from stages.archive.storage import Storage, storage_at
from stages.plan import read_pipeline
from stages.report.archive import Files, archive_report
from stages.report.digest import write_digest
from stages.results.manifest import Manifest
from tests.report.material import film, followed, said, written

pytestmark = pytest.mark.long
FILM = "a b/é=100% [x].mp4"


@pytest.fixture
def storage(monkeypatch) -> Iterator[Storage]:
    boto3 = pytest.importorskip("boto3")
    servers = pytest.importorskip("moto.server")
    files = pytest.importorskip("s3fs").S3FileSystem
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    server = servers.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket="archive")
        yield storage_at("s3://archive/results")
    finally:
        server.stop()
        files.clear_instance_cache()  # They hold the address of this server.


@pytest.fixture
def run(tmp_path) -> Path:
    return written(said(tmp_path / "run"), film(50, followed(1)))


def test_tables_are_found_under_the_names_by_which_they_are_known_and_read_by_arrow(storage, run, tmp_path):
    dataset = pytest.importorskip("pyarrow.dataset")
    import s3fs

    for path in Tables.of(*read_pipeline(None)).add(run, FILM, tmp_path / "made"):
        storage.add(tmp_path / "made" / path, f"{DATASET}/{path}")
    assert set(storage.names()) == set(table_names(FILM))
    people = dataset.dataset("archive/results/dataset/people", filesystem=s3fs.S3FileSystem(), partitioning="hive")
    assert people.to_table().column("film").to_pylist() == [FILM]


def test_files_of_others_stay_beside_the_results_of_a_film_that_is_analysed_anew(storage):
    def join() -> None:
        with storage.new_run(FILM, "work") as folder:
            for name in ("results.jsonl", "annotated/é=[x].mp4"):
                Manifest(folder).write(folder / name, b"made")

    join()
    made = set(storage.names())
    for name in (f"{FILM}/notes.txt", f"{FILM}/mine/x", f"{FILM}.txt", "a b/é=100% x.mp4/results.jsonl"):
        storage.write(name, b"mine")
    mine = set(storage.names()) - made
    join()
    assert set(storage.names()) == made | mine and {storage.read(name) for name in mine} == {b"mine"}
    storage.remove(FILM)
    assert f"{FILM}.txt" in storage.names() and "a b/é=100% x.mp4/results.jsonl" in storage.names()


def test_the_page_is_made_of_digests_alone(storage, run):
    write_digest(run)
    storage.add(run / "digest.json", f"{FILM}/digest.json")
    storage.write("archive.json", json.dumps({"films": [{"film": FILM, "state": "done"}]}).encode())
    page = "".join(archive_report(Files("results", storage.read, set(storage.names()).__contains__)))
    assert f'<th scope="row">{FILM}</th><td data-value="2">' in page
    assert "the archive is not in a folder of this machine" in page
