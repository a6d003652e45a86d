"""The line of `results.jsonl` that docs/results.md shows, as the pipeline writes it, wrapped for readers."""

from __future__ import annotations

import json
import re

BLOCK = re.compile(r"```json\n.*?```\n", re.DOTALL)
SCORES_A_LINE = 4


def with_example(page: str, line: dict) -> str:
    """Return the page with this line, reduced to its first face, as the contents of the page's only JSON block.

    Raises ValueError if the page does not have exactly one.
    """
    if len(BLOCK.findall(page)) != 1:
        raise ValueError("the page needs one block of JSON, for the line of results")
    return BLOCK.sub(lambda _: f"```json\n{wrapped(line)}\n```\n", page)


def wrapped(line: dict) -> str:
    """Return the line as JSON, wrapped, with only its first face."""
    face = line["faces"][0]
    smoothed = face["smoothed"]
    of_frame = ", ".join(f'"{key}": {json.dumps(value)}' for key, value in line.items() if key != "faces")
    of_face = ", ".join(f'"{key}": {json.dumps(face[key])}' for key in ("id", "box", "score"))
    marks = [f'   "{key}": {json.dumps(face[key])}' for key in ("landmarks", "pose", "quality") if key in face]
    answers = ",\n".join([*marks, *(f"   {answer(name, face[name], 3)}" for name in smoothed)])
    indent = len('   "smoothed": {')
    later = (",\n" + " " * indent).join(answer(name, value, indent) for name, value in smoothed.items())
    return f'{{{of_frame},\n "faces": [{{{of_face},\n{answers},\n   "smoothed": {{{later}}}}}]}}'


def answer(name: str, value: dict, indent: int) -> str:
    """Format one answer with its scores on separate lines; `indent`: the column in which it begins."""
    if "scores" not in value:
        return f'"{name}": {json.dumps(value)}'
    begins = indent + len(f'"{name}": {{')
    first = ", ".join(f'"{key}": {json.dumps(inner)}' for key, inner in value.items() if key != "scores")
    scores = [f'"{label}": {score}' for label, score in value["scores"].items()]
    lines = [", ".join(scores[i : i + SCORES_A_LINE]) for i in range(0, len(scores), SCORES_A_LINE)]
    told = (",\n" + " " * (begins + len('"scores": {'))).join(lines)
    margin = " " * begins
    return f'"{name}": {{{first},\n{margin}"scores": {{{told}}}}}'
