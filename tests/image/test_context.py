"""What is given to a build of the image is all that the wheel is made of."""

from __future__ import annotations

from pathlib import PurePosixPath

import hatch_build
from stages.project import PROJECT

METADATA = ("pyproject.toml", "hatch_build.py", "LICENSE", "README.md", "constraints.txt", "facepipe", "train")


def test_no_file_of_the_wheel_is_left_out_of_the_build_context():
    lines = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    given = [PurePosixPath(line.removeprefix("!")) for line in lines if line.startswith("!")]
    for name in (*hatch_build.INSIDE, *METADATA):
        path = PurePosixPath(name)
        assert any(path.is_relative_to(allowed) for allowed in given), name
