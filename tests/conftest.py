"""What every test may use: the photographs of the demo packages, and material beside the checkout where it is there."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.screen"]  # a screen without a monitor

PROJECT = Path(__file__).resolve().parents[1]
SHARED = PROJECT.parent / "shared"
MADE_BY_TOOLS = {".venv", ".git", ".pytest_cache", ".hypothesis", ".ruff_cache", "__pycache__"}

# With CI=true every other skipped test is a failure: on the machine that decides, what is missing has to be installed.
MAY_BE_SKIPPED = re.compile(
    r"needs \.\./shared/|there is a (GPU|camera)|(torch|jax|tensorboard) is not installed"
    r"|another user cannot read this tree"
    r"|could not import 'tensorboard'|does not let us make network namespaces|this kernel has no netem"
)

cv2.setNumThreads(1)

# What Hypothesis draws: a few examples in make test, many in make test-long (--hypothesis-profile long).
for profile, examples in (("short", 25), ("long", 500)):
    settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,  # The machine may be busy.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
settings.load_profile("short")


def pytest_configure():
    """Programs that tests start inherit what nohup and a shell's & have ignored, and would not end by it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path_factory, monkeypatch):
    """No test finds or leaves anything in the folder that the tests were started from."""
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    paths = filter(None, (str(PROJECT), os.environ.get("PYTHONPATH")))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))  # Processes that tests start find the project from there.


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    _refuse_skipping(report)


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    outcome = yield
    _refuse_skipping(outcome.get_result())


def _refuse_skipping(report) -> None:
    if os.environ.get("CI") != "true" or not report.skipped or not isinstance(report.longrepr, tuple):
        return
    reason = str(report.longrepr[2])
    if not MAY_BE_SKIPPED.search(reason):
        report.outcome = "failed"
        report.longrepr = f"{reason}: with CI=true nothing may be missing; .ci/run installs what tests need"


def pytest_sessionstart(session):
    if not hasattr(session.config, "workerinput"):  # Not in the processes of pytest-xdist.
        session.config.project_before = _files_of_the_project()


def pytest_sessionfinish(session):
    before = getattr(session.config, "project_before", None)
    if before is None:
        return
    now = _files_of_the_project()
    touched = sorted(path for path in {**before, **now} if before.get(path) != now.get(path))
    if touched:
        print(f"\nWhile the tests ran, these files of the project were changed: {', '.join(touched[:10])}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _files_of_the_project() -> dict[str, tuple[int, int]]:
    """Every file of the project and of the results in it, with size and time of its last change."""
    files = {}
    for folder, folders, names in os.walk(PROJECT):
        folders[:] = [name for name in folders if name not in MADE_BY_TOOLS]
        for name in names:
            found = os.lstat(path := os.path.join(folder, name))
            files[os.path.relpath(path, PROJECT)] = found.st_size, found.st_mtime_ns
    return files


def _beside_the_checkout(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs ../shared/{name}, which is not part of the project")
    return folder


@pytest.fixture(scope="session")
def media() -> Path:
    """Real clips and pictures."""
    return _beside_the_checkout("media")


@pytest.fixture(scope="session")
def bugs() -> Path:
    """Small inputs that were read wrongly once."""
    return _beside_the_checkout("bugs")


@pytest.fixture(scope="session")
def peers() -> Path:
    """Third-party model files."""
    return _beside_the_checkout("peers")


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A portrait with one face: uint8 (512, 512, 3) BGR. Eileen Collins, photographed by NASA, public domain."""
    from skimage.data import astronaut as rgb

    return np.ascontiguousarray(rgb()[:, :, ::-1])
