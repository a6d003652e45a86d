"""What the image installs is there ready-made for both processors, in the pinned versions. It asks the registry."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib

import pytest

from stages.project import PROJECT

GLIBC = ("2_17", "2_24", "2_26", "2_27", "2_28", "2_31", "2_34", "2_36")  # that wheels are made for; Debian 12 has 2.36
LEFT_OUT = {"keras", "train"}  # for training; the image has no use for them


@pytest.mark.long
@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
def test_each_package_of_the_image_and_of_its_extras_has_a_wheel(processor, tmp_path):
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (names for extra, names in project["optional-dependencies"].items() if extra not in LEFT_OUT)
    wanted = [headless(name) for names in (project["dependencies"], *extras) for name in names]
    pins = tmp_path / "constraints.txt"
    pins.write_text(headless((PROJECT / "constraints.txt").read_text(encoding="utf-8")))
    kinds = (*(f"manylinux_{glibc}" for glibc in GLIBC), "manylinux2014")
    platforms = [f"--platform={kind}_{processor}" for kind in kinds]
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--target", "unused"]
    pip += ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp", *platforms]
    pip += ["--constraint", str(pins), "--report", "report.json", *wanted]
    ran = subprocess.run(pip, cwd=tmp_path, capture_output=True, text=True, timeout=110)
    assert ran.returncode == 0, ran.stderr
    found = json.loads((tmp_path / "report.json").read_text())["install"]
    names = {one["metadata"]["name"].lower() for one in found}
    assert {"ai-edge-litert", "dlib-bin", "opencv-python-headless", "onnxruntime", "pyarrow"} <= names
    assert "opencv-python" not in names


def headless(text: str) -> str:
    """With the OpenCV that has no windows, as in the Dockerfile."""
    return re.sub(r"^opencv-python\b", "opencv-python-headless", text, flags=re.MULTILINE)
