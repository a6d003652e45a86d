"""Writes the generated pictures and tables of the documentation: `make pictures`.

| output | made from |
| --- | --- |
| docs/pipeline.svg, docs/pipeline-dark.svg | the default configuration |
| docs/machines.svg, docs/machines-dark.svg | the first configuration in docs/machines.md |
| docs/models.md, the tables between the markers | the model cards |
| docs/protocol.md, the tables and diagrams | the messages and the state tables |
| docs/demo.png | a run of the pipeline over one frame of the demo |
| docs/results.md, the line of results.jsonl | a run of the pipeline over the whole demo |
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2

from docs.drawing import DARK, LIGHT, drawing, machines
from docs.example import with_example
from docs.figures import with_figures
from docs.protocol_tables import with_tables
from stages.config.load import read_config
from stages.config.schema import Pipeline
from stages.plan import read_pipeline
from stages.project import PROJECT
from stages.sources.demo import Demo

DOCS = PROJECT / "docs"
FRAME = 159  # of the demo: both people, side by side; one that every stage is asked about
SHOWN_WIDTH, SHOWN_HEIGHT = 960, 540  # pixels of docs/demo.png: half the bytes, and pages show it no larger


def main() -> int:
    pipeline, _ = read_pipeline(None)
    for name, theme in (("pipeline.svg", LIGHT), ("pipeline-dark.svg", DARK)):
        (DOCS / name).write_text(drawing(pipeline, theme), encoding="utf-8")
    house = first_configuration(DOCS / "machines.md")
    for name, theme in (("machines.svg", LIGHT), ("machines-dark.svg", DARK)):
        (DOCS / name).write_text(machines(house, theme), encoding="utf-8")
    protocol = DOCS / "protocol.md"
    protocol.write_text(with_tables(protocol.read_text(encoding="utf-8")), encoding="utf-8")
    models = DOCS / "models.md"
    models.write_text(with_figures(models.read_text(encoding="utf-8"), PROJECT / "models"), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        drawn = annotated_frame(Path(folder))
    small = cv2.resize(drawn, (SHOWN_WIDTH, SHOWN_HEIGHT), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(DOCS / "demo.png"), small, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    results = DOCS / "results.md"
    with tempfile.TemporaryDirectory() as folder:
        results.write_text(with_example(results.read_text(encoding="utf-8"), line_of_results(Path(folder))), "utf-8")
    return 0


def first_configuration(page: Path) -> Pipeline:
    """Read the configuration in the first YAML block of a page."""
    return read_config(page.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0], page.name)


def annotated_frame(folder: Path):
    """Return one frame of the demo as the pipeline draws it in picture mode: uint8 (720, 1280, 3) BGR."""
    picture = next(iter(Demo().pictures(FRAME)))
    cv2.imwrite(str(folder / "demo.png"), picture.pixels)
    run_over(str(folder / "demo.png"), folder / "out")
    return cv2.imread(str(folder / "out" / "annotated" / "demo.png"))


def line_of_results(folder: Path) -> dict:
    """Return the line of that frame from a run over the whole demo, in which faces have IDs and smoothed answers."""
    run_over("demo", folder)
    return json.loads((folder / "results.jsonl").read_text(encoding="utf-8").splitlines()[FRAME])


def run_over(source: str, output: Path) -> None:
    command = [sys.executable, "run_pipeline.py", "--source", source, "--output", str(output)]
    subprocess.run([*command, "--display", "none", "--quiet", "--set", "port=5900"], cwd=PROJECT, check=True)


if __name__ == "__main__":
    sys.exit(main())
