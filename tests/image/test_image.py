"""The image of the Dockerfile: what is in it, and what it does as any user, without capabilities, on a read-only root.

Long: it is built anew, with Debian's packages and Python's from their registries. `make image-test`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import cv2
import psutil
import pytest

from stages.project import PROJECT, VERSION
from stages.sources.demo import Demo
from tests.end_to_end.command import eventually, somewhere
from tests.image.containers import TOOLS, WRITABLE, Container, Image, built
from tests.image.test_wheels import headless

MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(MISSING) or os.geteuid() != 0, reason=f"needs root and {', '.join(TOOLS)} of Debian"),
]
MOST_MB = 700  # of which OpenCV and FFmpeg are half


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Iterator[Image]:
    """The image of this checkout."""
    with built(tmp_path_factory.mktemp("image")) as made:
        yield made


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """A folder with three frames of the demo."""
    folder = tmp_path_factory.mktemp("pictures") / "photos"
    folder.mkdir()
    source = Demo()
    for number, picture in enumerate(source.pictures()):
        if number % 100 == 0:
            cv2.imwrite(str(folder / f"{number}.png"), picture.pixels)
    source.close()
    folder.chmod(0o755)  # another user reads it
    return folder


def test_it_holds_what_runs_and_nothing_that_builds(image):
    site = image.root / "opt/facepipe/lib/python3.11/site-packages"
    assert (site / "facepipe/models/age.tflite").stat().st_size  # the weights, and the terms they come with
    assert "weights in models" in (site / f"facepipe-{VERSION}.dist-info/licenses/LICENSE").read_text()
    assert "research-only" in image.settings["Labels"]["org.opencontainers.image.licenses"]
    for name in ("pip", "hatchling", "setuptools", "pytest", "opencv_python", "matplotlib"):
        assert not list(site.glob(f"{name}-*")), name
    assert list(site.glob("opencv_python_headless-*"))
    programs = {path.name for folder in ("usr/bin", "opt/facepipe/bin") for path in (image.root / folder).iterdir()}
    assert {"facepipe", "python3", "tini"} <= programs
    assert not programs & {"pip", "pip3", "gcc", "cc", "make", "curl", "wget", "git"}
    print("layers, MB:", *(f"{size:.0f}" for size in image.layers_mb))
    assert sum(image.layers_mb) < MOST_MB
    assert image.layers_mb[-1] < 30  # facepipe alone: what a new version fetches


def test_its_packages_have_the_versions_of_the_constraints(image):
    lines = headless((PROJECT / "constraints.txt").read_text(encoding="utf-8")).splitlines()
    pins = {plain(name): version for name, _, version in (line.partition("==") for line in lines)}
    found = list(distributions(path=[str(image.root / "opt/facepipe/lib/python3.11/site-packages")]))
    assert len(found) > 15
    for one in found:
        assert one.version == (VERSION if one.name == "facepipe" else pins[plain(one.name)]), one.name


def test_photographs_get_the_answers_of_the_checkout_without_root_and_on_a_read_only_root(image, pictures, tmp_path):
    container = Container(image, tmp_path, ("photos", "--output", "out", "--display", "none"))
    shutil.copytree(pictures, container.volume / "photos")
    ran = container.run()
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False), ran.stderr
    out = container.volume / "out"
    assert out.stat().st_uid == int(image.settings["User"].partition(":")[0]) != 0
    with somewhere(tmp_path) as place:
        here = place.run(pictures, detector=None, output="here").succeeded()
    assert (out / "results.jsonl").read_bytes() == here.results
    assert here.faces


def test_a_service_is_healthy_goes_on_after_a_kill_leaves_no_dead_process_and_ends_cleanly(image, slow_film, tmp_path):
    words = ("service", "film.mp4", "--set", "capture.loop=true", "--output", "out", "--display", "none")
    container = Container(image, tmp_path, (*words, "--metrics", "9109"))
    shutil.copy(slow_film, container.volume / "film.mp4")
    results = container.volume / "out/results.jsonl"
    with container.running() as process:
        eventually(lambda: results.exists() and results.stat().st_size, "results")
        eventually(container.is_healthy, "the health check says that it is well")
        first = next(child for child in psutil.Process(process.pid).children(recursive=True) if child.name() == "tini")
        [render] = [child for child in first.children(recursive=True) if "stages.render" in " ".join(child.cmdline())]
        assert (render.uids().real, render.terminal()) == (10001, None)
        render.kill()
        before = results.stat().st_size
        eventually(lambda: results.stat().st_size > before, "results after a kill")
        assert not [child for child in first.children(recursive=True) if child.status() == psutil.STATUS_ZOMBIE]
        container.signal("TERM")
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert json.loads(results.read_text().splitlines()[-1])["faces"] is not None


def test_what_cannot_be_written_is_one_sentence(image, pictures, tmp_path):
    container = Container(image, tmp_path, ("photos", "--output", "/out", "--display", "none"))
    shutil.copytree(pictures, container.volume / "photos")
    ran = container.run()
    assert ran.returncode == 2 and "/out" in ran.stderr and "Traceback" not in ran.stderr
    assert not (image.root / "out").exists()


def test_nobody_else_can_write_where_it_runs(image):
    """Its user owns the volume and nothing else, and no file gives more rights than its user has."""
    for path in (image.root / "opt/facepipe").rglob("*"):
        found = path.lstat()
        assert (found.st_uid, found.st_gid) == (0, 0), path
        assert path.is_symlink() or not found.st_mode & stat.S_IWOTH, path
    assert (image.root / str(WRITABLE)[1:]).stat().st_uid == int(image.settings["User"].partition(":")[0])


def plain(name: str) -> str:
    """The name of a package as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
