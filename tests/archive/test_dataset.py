"""The data set of an archive, as those read it who look for something in all films."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from stages.answers import Value
from stages.api import read
from stages.archive.dataset import TABLES, Tables, partition_of
from stages.areas import Areas
from stages.people.events import events_of
from stages.plan import read_pipeline
from stages.reading.lines import Results, ResultsError
from stages.reading.tables import ROWS, fill_parquet
from tests.report.material import film, followed, written
from tests.results.frames import flat, frame, seen

dataset = pytest.importorskip("pyarrow.dataset", reason="needs pyarrow, as make install-tables installs it")

ZONES, LINES = {"door": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}, {"till": [[0.5, 0], [0.5, 1]]}
NAMES = [
    "2024/a=b.mp4",
    "Zug um Zug (1).mp4",
    "映画/é 100%.mp4",
    "plus+#?[x]*{y}&'\".mp4",
    "a\\b:|<>.mp4",
    "tab\tnew\nline\u2028.mp4",
    "%2F.mp4",
    "..",
    "😀.mp4",
    "2024",
]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return Tables.of(*read_pipeline(None))


@pytest.fixture
def run(tmp_path) -> Path:
    return analysed(tmp_path / "run")


def analysed(folder: Path, areas: Areas | None = None, **answers) -> Path:
    """What a run leaves of two people, the second with landmarks."""
    other = replace(seen(followed(5, x=40.0, emotion="sad", **answers)), id=5)
    written(folder, film(50, followed(4, **answers), other))
    events = events_of(Results(folder), 1.0, areas)
    (folder / "events.jsonl").write_bytes(b"".join(event.to_line() for event in events))
    inputs = {"zones": ZONES, "lines": LINES} if areas else {}
    (folder / "run.json").write_text(json.dumps({"inputs": inputs, "ended": "finished"}))
    return folder


def rows_of(folder: Path, table: str) -> list[dict]:
    return dataset.dataset(folder / table, partitioning="hive").to_table().to_pylist()


def test_the_tables_are_those_of_each_run(tables, run, tmp_path):
    tables.add(run, "a.mp4", tmp_path)
    tables.add(run, "b.mp4", tmp_path)
    of_run = read(run)
    expected = {"faces": of_run.to_arrow().to_pylist(), "people": of_run.people(), "events": list(of_run.events())}
    for table in TABLES:
        every = rows_of(tmp_path, table)
        assert len(every) == 2 * len(expected[table]) > 0
        assert [row["film"] for row in every] == ["a.mp4"] * (len(every) // 2) + ["b.mp4"] * (len(every) // 2)
        for row, one in zip(every, expected[table], strict=False):
            told = {key: value for key, value in row.items() if value is not None and key != "film"}
            if table == "events":
                assert (told["gender"], told["age"]) == (one["gender"]["label"], one["age"]["years"])
                one = {key: value for key, value in one.items() if not isinstance(value, dict)}
                told = {key: told[key] for key in told if key in one}
            assert told == {key: value for key, value in one.items() if value is not None}


def test_a_film_without_a_face_has_the_same_columns_and_types(tables, run, tmp_path):
    tables.add(run, "a.mp4", tmp_path)
    nobody = written(tmp_path / "nobody", film(3))
    nothing = written(tmp_path / "nothing", [])
    for table in TABLES:
        one, *others = (
            dataset.dataset(tmp_path / path).schema
            for name, folder in (("a.mp4", run), ("b.mp4", nobody), ("c.mp4", nothing))
            for path in tables.add(folder, name, tmp_path)
            if path.parts[0] == table
        )
        assert len(others) == 2 and all(other.equals(one, check_metadata=True) for other in others)
        assert "null" not in {str(kind) for kind in one.types}


def test_zones_lines_and_stages_of_your_own_have_their_columns(tmp_path):
    size = {"width": 8, "height": 8, "channels": 1, "dtype": "float32", "range": [0, 1]}
    card = {"name": "glasses", "file": "g.onnx", "task": "regression", "input": size, "crop": {"scale": 1.0}}
    (tmp_path / "glasses.yaml").write_text(json.dumps(card))
    stages = {"gender": {}, "emotion": {}, "age": {}, "file": {"kind": "attribute", "model": "glasses.yaml"}}
    (tmp_path / "shop.yaml").write_text(json.dumps({"stages": stages, "zones": ZONES, "lines": LINES}))
    pipeline, folder = read_pipeline(str(tmp_path / "shop.yaml"))
    tables = Tables.of(pipeline, folder)
    run = analysed(tmp_path / "shop", pipeline.areas_of(None), file=Value(0.25))
    tables.add(run, "a.mp4", tmp_path)
    person = rows_of(tmp_path, "people")[0]
    assert (person["zone_door"], person["line_till_in"], person["file_answer"], person["file"]) == (2.0, 0, 0.25, None)
    assert {row["file_answer"] for row in rows_of(tmp_path, "faces")} == {0.25}
    assert {row["zone"] for row in rows_of(tmp_path, "events")} == {None, "door"}
    assert {row["file_answer"] for row in rows_of(tmp_path, "events")} == {0.25}


def test_results_of_another_configuration_are_refused_and_what_was_there_stays(tables, run, tmp_path):
    before = digests(tmp_path, tables.add(run, "a.mp4", tmp_path))
    for unlike in (analysed(tmp_path / "more", glasses=Value(0.5)), analysed(tmp_path / "other", gender=Value(0.5))):
        with pytest.raises(ResultsError, match="another configuration"):
            tables.add(unlike, "a.mp4", tmp_path)
    assert digests(tmp_path, [Path(path) for path in before]) == before
    assert [path.name for path in tmp_path.glob("faces/*/*")] + [path.name for path in tmp_path.glob("faces/*/.*")] == [
        "faces.parquet"
    ]


def test_written_again_the_bytes_are_the_same_and_leftovers_of_a_killed_process_are_gone(tables, run, tmp_path):
    paths = tables.add(run, "a.mp4", tmp_path)
    before = digests(tmp_path, paths)
    left = (tmp_path / paths[0]).with_name(".faces.parquet.0123456789ab.part")
    left.write_bytes(b"PAR1")
    assert len(rows_of(tmp_path, "faces")) == 100
    assert digests(tmp_path, tables.add(run, "a.mp4", tmp_path)) == before
    assert not left.exists()


def test_a_disk_that_cannot_be_written_is_said_in_a_sentence(tables, run, tmp_path):
    (tmp_path / "faces").write_text("a file in the way")
    with pytest.raises(ResultsError, match=r"faces\.parquet cannot be written"):
        tables.add(run, "a.mp4", tmp_path)


def test_rows_are_written_in_groups_so_that_memory_is_bounded(tmp_path):
    from pyarrow import parquet

    assert fill_parquet(tmp_path / "t.parquet", {"n": int}, ({"n": n} for n in range(2 * ROWS + 1))) == 2 * ROWS + 1
    assert parquet.ParquetFile(tmp_path / "t.parquet").num_row_groups == 3


def test_names_that_are_too_long_for_a_file_system_are_cut_and_stay_apart(tables, run, tmp_path):
    names = ["年" * 300 + end for end in ("a.mp4", "b.mp4")]
    for name in names:
        tables.add(run, name, tmp_path)
    found = {row["film"] for row in rows_of(tmp_path, "people")}
    assert len(found) == 2 and all(name.startswith("年" * 60) for name in found)
    assert partition_of("b\udcffyte.mp4") == "film=b%5Cudcffyte.mp4"  # A name that is no text.


@pytest.fixture(scope="module")
def named(tables, tmp_path_factory) -> Path:
    """Films whose names every reader has to undo; each has its name as source, too."""
    folder = tmp_path_factory.mktemp("named")
    for name in NAMES:
        frames = [frame(number, flat(96, 64), [followed(1)], source=name) for number in range(20)]
        tables.add(written(folder / "runs" / hashlib.sha256(name.encode()).hexdigest(), frames), name, folder)
    return folder


def test_pyarrow_finds_films_by_their_names(named):
    assert_each_has_its_name((row["film"], row["source"]) for row in rows_of(named, "people"))


def test_duckdb_finds_films_by_their_names(named):
    duckdb = pytest.importorskip("duckdb")
    query = f"select film, source from read_parquet('{named}/people/*/*.parquet', hive_types_autocast = false)"
    assert_each_has_its_name(duckdb.sql(query).fetchall())


def test_pandas_finds_films_by_their_names(named):
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    table = pandas.read_parquet(named / "people")
    assert_each_has_its_name(zip(table["film"], table["source"], strict=True))


@pytest.mark.long
def test_ray_data_finds_films_by_their_names(named, monkeypatch):
    ray = pytest.importorskip("ray", reason="needs ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(num_cpus=1, include_dashboard=False, object_store_memory=100_000_000, log_to_driver=False)
    try:
        table = ray.data.read_parquet(str(named / "people")).take_all()
    finally:
        ray.shutdown()
    assert_each_has_its_name((row["film"], row["source"]) for row in table)


def assert_each_has_its_name(pairs) -> None:
    assert sorted(pairs) == sorted((name, name) for name in NAMES)


def digests(folder: Path, paths: list[Path]) -> dict[str, str]:
    return {str(path): hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in paths}
