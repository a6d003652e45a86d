"""What `pip install` puts where: one package that runs from any folder and writes only where the run does."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from tests.end_to_end.command import somewhere

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this checkout."""
    return built(PROJECT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory) -> Path:
    """A folder as site-packages is once the wheel is installed."""
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def built(source: Path, target: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    [made] = folder.iterdir()
    return made


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_the_wheel_has_one_package_and_every_file_that_the_program_reads(wheel):
    names = {PurePosixPath(name) for name in contents(wheel)}
    assert {name.parts[0] for name in names} == {"facepipe", "facepipe-0.1.0.dist-info"}
    inside = {"stages", "train", "models"}
    for path in (path for top in inside for path in (PROJECT / top).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            assert "facepipe" / PurePosixPath(path.relative_to(PROJECT)) in names
    assert {PurePosixPath("facepipe", name) for name in ("py.typed", "pipeline.yaml")} <= names
    assert not any("__pycache__" in name.parts for name in names)


def test_nothing_in_the_wheel_imports_a_top_level_package_of_the_checkout(wheel):
    for name, content in contents(wheel).items():
        for node in ast.walk(ast.parse(content)) if name.endswith(".py") else ():
            named = [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not {name.partition(".")[0] for name in named} & {"stages", "train", "bench", "tests", "docs"}, name


def test_a_wheel_from_the_sdist_is_the_wheel_from_the_checkout(wheel, tmp_path):
    (tmp_path / "sdist").mkdir()
    with tarfile.open(built(PROJECT, "sdist", tmp_path / "sdist")) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (tmp_path / "wheel").mkdir()
    assert contents(built(tmp_path / "facepipe-0.1.0", "wheel", tmp_path / "wheel")) == contents(wheel)


def test_the_installed_command_runs_anywhere_as_the_checkout_does_and_leaves_the_package_alone(site, tmp_path):
    before = listing(site)
    with somewhere(tmp_path) as place:
        here = place.run("demo", "--end", "0.6", output="checkout", detector=None)
        place.environment |= {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
        for words in (["demo", "--end", "0.6", "--display", "none"], ["report", "--csv"], ["check", "demo"]):
            command = [sys.executable, "-P", "-m", "facepipe", *words]
            ran = subprocess.run(command, cwd=tmp_path, env=place.environment, capture_output=True, text=True)
            assert (ran.returncode, ran.stderr.count("Traceback")) == (0, 0), ran.stderr
        assert place.processes() == []
    assert (tmp_path / "out/demo/results.jsonl").read_bytes() == here.results != b""
    assert (tmp_path / "out/demo/faces.csv").stat().st_size
    assert listing(site) == before


def test_an_installed_command_names_pip_and_takes_models_from_where_it_is_given(site, tmp_path):
    def said(*words: str) -> str:
        command = [sys.executable, "-P", "-m", "facepipe", *words]
        environment = {**os.environ, "PYTHONPATH": str(site)}
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert "Traceback" not in ran.stderr
        return ran.stdout + ran.stderr

    assert "facepipe[tables]" in said("report", "--help")
    (tmp_path / "mine").mkdir()
    for name in ("age.yaml", "age.tflite"):
        (tmp_path / "mine" / name).write_bytes((PROJECT / "models" / name).read_bytes())
    assert f"age: {Path('mine/age.yaml')}," in said("check", "demo", "--set", "stages.age.model=mine/age.yaml")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "age.yaml").write_text("not the included one")
    assert str(site / "facepipe" / "models" / "age.yaml") in said("check", "demo")


def test_a_folder_that_cannot_be_written_is_refused_in_one_sentence(site, tmp_path):
    (tmp_path / "out").touch()  # As good as a folder without permission, and for root too.
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-P", "-m", "facepipe", "demo", "--display", "none"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "out" in ran.stderr and "Traceback" not in ran.stderr


def test_every_dependency_has_its_version_in_the_constraints():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    groups = [project["project"]["dependencies"], *extras.values(), *project["dependency-groups"].values()]
    pins = (PROJECT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    for dependency in (d for group in groups for d in group if isinstance(d, str)):  # else one that includes another
        name = re.split(r"[;<\[]", dependency)[0].strip()  # without its conditions and extras
        assert f"\n{name}==" in pins, name


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_pip_installs_it_into_an_empty_environment_outside_the_checkout(wheel, tmp_path):
    """With its dependencies, some hundred megabytes, from the registry that pip uses."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def do(*command: str) -> str:
        ran = subprocess.run([tmp_path / "venv/bin" / command[0], *command[1:]], cwd=tmp_path, env=kept, text=True,
                             capture_output=True)  # fmt: skip
        assert ran.returncode == 0, ran.stderr[-2000:]
        return ran.stdout

    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, env=kept)
    do("python", "-m", "pip", "install", "--quiet", "--constraint", str(PROJECT / "constraints.txt"), f"{wheel}[demo]")
    assert do("facepipe", "--version") == "facepipe 0.1.0\n"
    do("facepipe", "check", "demo")
    do("facepipe", "demo", "--display", "none", "--end", "0.6")
    assert "out/demo/report.html" in do("facepipe", "report")
    assert (tmp_path / "out/demo/results.jsonl").stat().st_size


def listing(folder: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}
