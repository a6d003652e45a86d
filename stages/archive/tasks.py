"""What a worker does, on any machine: look through a film, analyse one part of it, join its parts.

Each leaves a file and returns a few numbers. Done twice it leaves the same.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath

import msgspec

from ..analyst import Analyst
from ..config.schema import Pipeline
from ..dependencies import installs
from ..errors import FacepipeError
from ..layout import RESULTS, RUN
from ..plan import Plan as RunPlan
from ..project import PROJECT, VERSION
from ..report.digest import write_digest
from ..running.preflight import refuse_without_encoder
from ..sources.refusal import SourceError
from ..sources.urls import is_url
from . import analysing, joining
from .analysing import analyst_for
from .cache import on_this_machine
from .dataset import Tables, has_pyarrow, table_names
from .film import FilmIndex, FilmPart, index, parts_of, whole_part
from .finding import FilmFile
from .joining import WrongParts
from .ledger import Done, Plan, key_of
from .names import DATASET, MANIFEST, WHOLE, done_name, index_name, part_name, plan_name, work_name
from .storage import Storage, StorageError

_DIGEST_BYTES = 16


class WrongMachine(FacepipeError):
    """A machine of the cluster is not set up as the others: what it would write is not what they do."""


@dataclass(frozen=True)
class Setup:
    """What all tasks of one archive are told."""

    archive: str  # its name, by which a machine knows that it sees the same output; "" where nothing is written
    output: Storage
    pipeline: Pipeline
    folder: Path | None  # what the paths of its models count from; None: the folder of facepipe, wherever it lies
    inputs: dict  # what results depend on, by names for a person
    part_s: float
    cache_bytes: int
    dataset: bool = False  # whether the tables of all films are written
    version: str = VERSION  # of facepipe


def inputs_of(pipeline: Pipeline, folder: Path) -> dict:
    """What results of any film depend on, by names for a person; raises a `FacepipeError` for models that are wrong."""
    sourceless = dataclasses.replace(joining.as_one_film(pipeline, Path("film"), Path("output")), source="demo")
    inputs = RunPlan.of(sourceless, folder).inputs
    said = {key: value for key, value in inputs.items() if not key.startswith("source ")}
    # What a run may change when it goes on. In an archive some films would have it, and others not.
    render, usual = pipeline.render, Pipeline().render
    written = ("events", "portraits", "subtitles", "encoder")
    said |= {f"render.{key}": now for key in written if (now := getattr(render, key)) != getattr(usual, key)}
    return json.loads(json.dumps(said))  # Lists for tuples, as it is read again.


def refuse_other_uses(pipeline: Pipeline) -> None:
    """Raise a `FacepipeError` for what a configuration asks for and an archive does not have."""
    joining.as_one_film(pipeline, Path("film"), Path("output"))
    refuse_without_encoder(pipeline)


def look(setup: Setup, film: FilmFile) -> Plan:
    """Divide a film; raises `SourceError` where it cannot be read."""
    check_machine(setup)
    with on_this_machine(film, setup.cache_bytes) as path:
        found = index(path, setup.pipeline)
    key = key_of(film, setup.inputs, setup.part_s)
    parts = [part.seconds for part in parts_of(found, setup.part_s)]
    plan = Plan(key, parts, found.frames, setup.part_s, found.whole)
    # The plan last: where it is, so is all that it speaks of.
    _keep(setup, index_name(film.name, plan.key), msgspec.msgpack.encode(found))
    setup.output.write(plan_name(film.name), msgspec.json.encode(plan))
    return plan


def undivided(setup: Setup, film: FilmFile, plan: Plan) -> Plan:
    """Note that the parts of a film were found to depend on each other, so that it is analysed in one piece: `plan`."""
    setup.output.write(plan_name(film.name), msgspec.json.encode(plan))
    return plan


def analyse(setup: Setup, film: FilmFile, plan: Plan, number: str) -> None:
    """Analyse one part.

    Raises `SourceError`, and `NotDivisible` where the film has to be analysed in one piece.
    """
    check_machine(setup)
    found = _index(setup, film, plan)
    part = _part(setup, film, found, plan, number)
    with on_this_machine(film, setup.cache_bytes) as path:
        answers = analysing.analyse(path, part, analyst_of(setup))
    _keep(setup, part_name(film.name, plan.key, number), answers)


def join(setup: Setup, film: FilmFile, plan: Plan) -> Done:
    """Make the results of a film of the answers of its parts.

    Raises `NotDivisible` where the film has to be analysed in one piece.
    """
    check_machine(setup)
    found = _index(setup, film, plan)
    parts = (_kept(setup, film, part_name(film.name, plan.key, number)) for number in plan.numbers())
    output = setup.output
    with output.new_run(film.name, work_name(film.name)) as folder, _path_to_join(setup, film) as path:
        try:
            account = joining.join(path, found, parts, setup.pipeline, folder_of(setup), folder)
        except (msgspec.MsgspecError, WrongParts):
            setup.output.remove(plan_name(film.name))
            raise _damaged(setup, film) from None
        write_digest(folder)
        if setup.dataset:
            _write_tables(setup, film, folder)
        else:  # Those that are there are of another version of the film.
            for name in table_names(film.name):
                output.remove(name)
    [came] = account.sources
    done = Done(
        film.stamp, found.seconds, came.rendered, came.faces, len(plan.parts), came.seconds, plan.whole, account.notes
    )
    output.write(done_name(film.name), msgspec.json.encode(done))
    output.remove(work_name(film.name))
    return done


def tabulate(setup: Setup, film: FilmFile) -> None:
    """Add a finished film to the data set."""
    check_machine(setup)
    with _results_of(setup, film) as folder:
        _write_tables(setup, film, folder)


def _write_tables(setup: Setup, film: FilmFile, run: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="facepipe-dataset-") as made:
        for path in tables_of(setup).add(run, film.name, Path(made)):
            setup.output.add(Path(made, path), f"{DATASET}/{path}")


@contextmanager
def _results_of(setup: Setup, film: FilmFile) -> Iterator[Path]:
    """A folder of this machine with what the tables are made of."""
    if setup.output.folder is not None:
        yield setup.output.folder / film.name
        return
    with tempfile.TemporaryDirectory(prefix="facepipe-dataset-") as copy:
        for name in (RESULTS, RUN):
            Path(copy, name).write_bytes(_read(setup, f"{film.name}/{name}"))
        yield Path(copy)


def _path_to_join(setup: Setup, film: FilmFile) -> AbstractContextManager[Path]:
    """The film once more, where its pictures are needed; otherwise only its name is."""
    if is_url(film.address) and not joining.needs_pictures(setup.pipeline):
        return nullcontext(Path(PurePosixPath(film.address).name))
    return on_this_machine(film, setup.cache_bytes)


def _index(setup: Setup, film: FilmFile, plan: Plan) -> FilmIndex:
    content = _kept(setup, film, index_name(film.name, plan.key), plan_name(film.name))
    return msgspec.msgpack.decode(content, type=FilmIndex)


def _part(setup: Setup, film: FilmFile, found: FilmIndex, plan: Plan, number: str) -> FilmPart:
    if number == WHOLE:
        return whole_part(found)
    parts = parts_of(found, plan.part_s)
    if len(parts) != len(plan.parts):
        setup.output.remove(plan_name(film.name))
        raise _damaged(setup, film)
    return parts[int(number)]


def _keep(setup: Setup, name: str, content: bytes) -> None:
    """Write what is read again by another task, or by another start, with a digest of it and of its name."""
    setup.output.write(name, _digest(name, content) + content)


def _kept(setup: Setup, film: FilmFile, name: str, *made_with: str) -> bytes:
    """Read it; where it has gone or is not what was written, `SourceError` is raised, and the next start makes it anew.

    `made_with`: the names of what is made together with it.
    """
    said = setup.output.read(name) or b""
    digest, content = said[:_DIGEST_BYTES], said[_DIGEST_BYTES:]
    if digest != _digest(name, content):
        for each in (name, *made_with):
            setup.output.remove(each)
        raise _damaged(setup, film)
    return content


def _digest(name: str, content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST_BYTES, key=blake2b(os.fsencode(name), digest_size=64).digest()).digest()


def _damaged(setup: Setup, film: FilmFile) -> SourceError:
    where = f"{setup.output.address}/{work_name(film.name)}"
    return SourceError(f"what was analysed of {film.name} is damaged in {where}; start the command again.")


def _read(setup: Setup, name: str) -> bytes:
    content = setup.output.read(name)
    if content is None:
        raise StorageError(f"{setup.output.address}/{name} was removed while the archive was made; start it again.")
    return content


def folder_of(setup: Setup) -> Path:
    """What the paths of its models count from, on this machine."""
    return PROJECT if setup.folder is None else setup.folder


_checked: set[str] = set()  # archives for which this process has found that its machine is set up for them


def check_machine(setup: Setup) -> None:
    """Raise `WrongMachine` where results of this machine would not be those of the others, or would lie elsewhere."""
    if setup.archive in _checked:
        return
    name = os.uname().nodename
    if setup.version != VERSION:
        raise WrongMachine(
            f"{name} has facepipe {VERSION}, and the machine of the command {setup.version}; install that."
        )
    try:
        inputs = inputs_of(setup.pipeline, folder_of(setup))
    except FacepipeError as error:
        raise WrongMachine(f"{name} cannot analyse films as the other machines do: {error}") from error
    if difference := next((key for key in setup.inputs if inputs.get(key) != setup.inputs[key]), None):
        raise WrongMachine(f"{name} has another {difference} than the machine of the command; install the same there.")
    if setup.dataset and not has_pyarrow():
        raise WrongMachine(f"{name} has no pyarrow, which the data set needs; install {installs('tables')} there.")
    manifest = setup.output.read(MANIFEST) if setup.archive else None
    if setup.archive and (manifest is None or json.loads(manifest).get("archive") != setup.archive):
        raise WrongMachine(
            f"{name} does not see the output {setup.output.address}; use a folder that all machines share, or an"
            " address such as s3://BUCKET/FOLDER."
        )
    _checked.add(setup.archive)


def tables_of(setup: Setup) -> Tables:
    """The columns of the data set, which a process finds once."""
    if setup.archive not in _tables:
        _tables.clear()
        _tables[setup.archive] = Tables.of(setup.pipeline, folder_of(setup))
    return _tables[setup.archive]


def analyst_of(setup: Setup) -> Analyst:
    """The models, which a process loads once."""
    if setup.archive not in _analysts:
        _analysts.clear()
        _analysts[setup.archive] = analyst_for(setup.pipeline, folder_of(setup))
    return _analysts[setup.archive]


_analysts: dict[str, Analyst] = {}  # of this process, by the name of the archive; one
_tables: dict[str, Tables] = {}
