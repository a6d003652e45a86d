"""The examples of docs/python.md run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2

from tests.docs.test_docs import TEXTS, blocks
from tests.end_to_end.material import scene, write_clip

MAKE_A_RUN = "import facepipe\nassert len(list(facepipe.stream('clip.mp4', output='out/clip'))) == 12\n"


def test_every_example_runs(astronaut, tmp_path):
    assert cv2.imwrite(str(tmp_path / "photo.jpg"), astronaut)
    write_clip(tmp_path / "clip.mp4", [scene(astronaut, number) for number in range(12)])
    examples = blocks(TEXTS["docs/python.md"], "python")
    assert len(examples) > 3
    (tmp_path / "examples.py").write_text("\n".join([MAKE_A_RUN, *examples]))  # Without `if __name__ == "__main__"`.
    ran = subprocess.run([sys.executable, "examples.py"], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "woman" in ran.stdout and "finished" in ran.stdout
    assert Path(tmp_path / "annotated.png").is_file()
