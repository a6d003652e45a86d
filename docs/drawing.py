"""Draw a pipeline as SVG from its configuration.

`drawing` shows the processes and the messages between them, `machines` the hosts and their connections.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from stages.config.placement import Placement
from stages.config.schema import MOST_DETECT_REPLICAS, Attribute, Pipeline
from stages.protocol.messages import Ack, Crops, FaceCrops, Faces, Frame, FramePicture
from stages.protocol.messages import Attribute as Answers

WIDTH = 1000  # of the drawing, in its own units
CAPTURE, WORKER, RENDER = (128, 292), (414, 594), (716, 876)  # left and right edges
LEGEND = (128, 480)  # left edges of its two entries: some fonts are a tenth wider than others
TOP, ROW, GAP = 92, 66, 16  # first row of workers, height of one, between two
HOST_WIDTH, HOST_TOP, CHIP = 264, 24, 44  # of the drawing of machines: a host, where it begins, a stage in it
LANE = 44  # of the pictures above the workers, and of the acknowledgements below: distance from the boxes' ends


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a light or dark page."""

    panel: str
    rim: str
    text: str
    quiet: str
    arrow: str
    worker: str
    worker_rim: str
    end: str
    end_rim: str


LIGHT = Theme("#f6f8fa", "#d1d9e0", "#1f2328", "#59636e", "#818b98", "#ffffff", "#8250df", "#ddf4ff", "#0969da")
DARK = Theme("#151b23", "#3d444d", "#f0f6fc", "#9198a1", "#656c76", "#0d1117", "#ab7df8", "#0b2a4d", "#4493f8")


def drawing(pipeline: Pipeline, theme: Theme) -> str:
    """Return the SVG of a pipeline: one box per stage, and an arrow for each kind of message."""
    height = 2 * TOP + len(pipeline.stages) * (ROW + GAP) - GAP
    parts = [*_frame(height, theme), *_source(height, theme), *_ends(height, theme), *_outputs(pipeline, height, theme)]
    for row, (name, stage) in enumerate(pipeline.stages.items()):
        parts += _worker(name, stage, TOP + row * (ROW + GAP), theme)
    title = "The processes of facepipe and the messages between them"
    return "\n".join([_beginning(height, theme, title), *parts, "</svg>", ""])


def machines(pipeline: Pipeline, theme: Theme) -> str:
    """Return the SVG of the hosts of a pipeline: their stages, and their connections with ports."""
    placed = Placement.of(pipeline)
    # Pictures go from left to right: the cameras first, the screen last.
    hosts = sorted(pipeline.hosts, key=lambda host: (host == placed.render, host not in placed.captures))
    middles = {host: WIDTH * (2 * place + 1) / (2 * len(hosts)) for place, host in enumerate(hosts)}
    links = list(_links(pipeline, placed))
    below = HOST_TOP + 74 + (CHIP + 10) * max(len(placed.stages_on(host)) for host in hosts)
    height = below + LANE * len(links) + 10
    title = "The machines of a run and the connections between them"
    parts = [_beginning(height, theme, title), _box(0.5, 0.5, WIDTH - 1, height + 39, theme.panel, theme.rim, 12)]
    for host, middle in middles.items():
        parts += _host(host, pipeline.hosts[host].address, placed.stages_on(host), middle, below, theme)
    # Every lane has its own place at a host, so that no two lines run into one.
    shifts = [HOST_WIDTH * ((lane + 1.5) / (len(links) + 2) - 0.5) for lane in range(len(links))]
    lanes = [(middles[start] + x, middles[end] + x) for (start, end, _), x in zip(links, shifts, strict=True)]
    labels = []  # above all lines
    for lane, (_, _, words) in enumerate(links):
        y = below + LANE * (lane + 1)
        parts.append(_lane(*lanes[lane], below, y, theme))
        labels.append(_label(_clear(lanes[lane], lanes[lane + 1 :]), y, words, theme))
    about = "an arrow goes from who connects to who listens, at which port"
    parts += [*labels, _text(WIDTH / 2, height + 22, about, theme.quiet, 13, "middle")]
    return "\n".join([*parts, "</svg>", ""])


def _host(host: str, address: str, stages: list[str], middle: float, below: float, theme: Theme) -> Iterator[str]:
    """Draw a host with its stages."""
    left = middle - HOST_WIDTH / 2
    yield _box(left, HOST_TOP, HOST_WIDTH, below - HOST_TOP, theme.panel, theme.arrow, radius=12)
    yield _text(middle, HOST_TOP + 30, host, theme.text, 19, "middle", 600)
    yield _text(middle, HOST_TOP + 51, address, theme.quiet, 13, "middle")
    for place, stage in enumerate(stages):
        y = HOST_TOP + 68 + (CHIP + 10) * place
        colours = (theme.end, theme.end_rim) if stage in ("capture", "render") else (theme.worker, theme.worker_rim)
        yield _box(left + 16, y, HOST_WIDTH - 32, CHIP, *colours)
        yield _text(middle, y + 28, stage, theme.text, 17, "middle", 600)


def _links(pipeline: Pipeline, placed: Placement) -> Iterator[tuple[str, str, str]]:
    """Yield every connection between two hosts: from, to, and its label."""
    for place, end in enumerate((placed.render, *placed.captures)):
        port = (pipeline.hosts[end].port or pipeline.port) + place
        for host in pipeline.hosts:
            carried = _to_render(pipeline, placed, host) if place == 0 else _to_capture(pipeline, placed, host)
            if host != end and carried:
                yield host, end, f"{port}: {', '.join(carried)}"


def _to_render(pipeline: Pipeline, placed: Placement, host: str) -> list[str]:
    pictures, boxes = host in placed.captures, placed.works(host, "detect")
    answers = any(placed.works(host, stage) for stage in pipeline.attributes())
    return ["pictures"] * pictures + ["boxes"] * boxes + ["answers"] * answers


def _to_capture(pipeline: Pipeline, placed: Placement, host: str) -> list[str]:
    frames = placed.works(host, "detect")
    crops = frames or any(placed.works(host, stage) for stage in pipeline.attributes())
    return ["frames"] * frames + ["crops"] * crops


def _clear(lane: tuple[float, float], lower: list[tuple[float, float]]) -> float:
    """Return the middle of the longest section of a lane that no line to a lower lane crosses."""
    left, right = sorted(lane)
    edges = [left, *sorted(x for ends in lower for x in ends if left < x < right), right]
    start, end = max(zip(edges, edges[1:], strict=False), key=lambda piece: piece[1] - piece[0])
    return (start + end) / 2


def _lane(from_x: float, to_x: float, below: float, y: float, theme: Theme) -> str:
    """Draw an arrow from the bottom of a host along a lane to the bottom of another host."""
    path = f"M{from_x:g} {below:g} V{y:g} H{to_x:g} V{below + 5:g}"
    return f'<path d="{path}" stroke="{theme.arrow}" stroke-width="1.6" fill="none" marker-end="url(#tip)"/>'


def _beginning(height: float, theme: Theme, title: str) -> str:
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + 40}" role="img" \
font-family="-apple-system, BlinkMacSystemFont, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif">
<title>{title}</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse">
<path d="M0 0.6 L7.4 4 L0 7.4 Z" fill="{theme.arrow}"/></marker></defs>"""


def _frame(height: int, theme: Theme) -> Iterator[str]:
    yield _box(0.5, 0.5, WIDTH - 1, height + 39, theme.panel, theme.rim, radius=12)
    below = height + 14
    yield _box(LEGEND[0], below - 11, 14, 14, theme.end, theme.end_rim, radius=4)
    yield _text(LEGEND[0] + 22, below, "keeps frames until they are acknowledged", theme.quiet, 13)
    yield _box(LEGEND[1], below - 11, 14, 14, theme.worker, theme.worker_rim, radius=4)
    yield _text(LEGEND[1] + 22, below, "keeps no state between tasks", theme.quiet, 13)


def _source(height: int, theme: Theme) -> Iterator[str]:
    middle = height / 2
    for line, words in enumerate(("camera", "video", "pictures", "stream")):
        yield _text(54, middle - 25 + 20 * line, words, theme.text, 15, "middle")
    yield _arrow(92, CAPTURE[0], middle, theme)


def _ends(height: int, theme: Theme) -> Iterator[str]:
    """Draw capture and render, and the messages directly between them."""
    lines = {
        CAPTURE: ("capture", "reads the frames", "and numbers them;", "dispatches tasks", "by credit"),
        RENDER: ("render", "joins the answers", "by frame number;", "draws, shows", "and writes in order"),
    }
    for (left, right), (name, *about) in lines.items():
        yield _box(left, 24, right - left, height - 48, theme.end, theme.end_rim)
        middle, y = (left + right) / 2, height / 2 - 34
        yield _text(middle, y, name, theme.text, 19, "middle", 600)
        for line, words in enumerate(about):
            yield _text(middle, y + 28 + 20 * line, words, theme.quiet, 14, "middle")
    middle = (CAPTURE[1] + RENDER[0]) / 2
    for y, kind, (start, end) in (
        (24 + LANE / 2, FramePicture.kind, (CAPTURE[1], RENDER[0])),
        (height - 24 - LANE / 2, Ack.kind, (RENDER[0], CAPTURE[1])),
    ):
        yield _arrow(start, end, y, theme)
        yield _label(middle, y, kind, theme)


def _worker(name: str, stage, y: int, theme: Theme) -> Iterator[str]:
    """Draw one worker stage and its messages."""
    left, right = WORKER
    if stage.replicas != 1:
        yield _box(left + 6, y + 6, right - left, ROW, theme.worker, theme.worker_rim)
    yield _box(left, y, right - left, ROW, theme.worker, theme.worker_rim)
    middle = (left + right) / 2
    yield _text(middle, y + 29, name, theme.text, 17, "middle", 600)
    yield _text(middle, y + 50, _about(stage), theme.quiet, 13, "middle")
    from_capture, to_render = (CAPTURE[1] + left) / 2, (right + RENDER[0]) / 2
    if isinstance(stage, Attribute):
        yield _arrow(CAPTURE[1], left, y + ROW / 2, theme)
        yield _label(from_capture, y + ROW / 2, Crops.kind, theme)
        yield _arrow(right, RENDER[0], y + ROW / 2, theme)
        yield _label(to_render, y + ROW / 2, Answers.kind, theme)
        return
    for place, kind, (start, end) in ((18, Frame.kind, (CAPTURE[1], left)), (48, FaceCrops.kind, (left, CAPTURE[1]))):
        yield _arrow(start, end, y + place, theme)
        yield _label(from_capture, y + place, kind, theme)
    yield _arrow(right + (6 if stage.replicas != 1 else 0), RENDER[0], y + ROW / 2, theme)
    yield _label(to_render, y + ROW / 2, Faces.kind, theme)


def _about(stage) -> str:
    if isinstance(stage, Attribute):
        return stage.model + _times(stage.replicas)
    return stage.detector + _times(stage.replicas)


def _times(replicas: int | str) -> str:
    if replicas == "auto":
        return f", 1 to {MOST_DETECT_REPLICAS} processes"
    return f", {replicas} processes" if replicas > 1 else ""


def _outputs(pipeline: Pipeline, height: int, theme: Theme) -> Iterator[str]:
    render = pipeline.render
    shown = ["window"] if render.display != "none" else []
    written = ["video or", "pictures"] if render.annotated else []
    lines = [*shown, *written, "results"]
    yield _arrow(RENDER[1], RENDER[1] + 34, height / 2, theme)
    for line, words in enumerate(lines):
        yield _text(RENDER[1] + 40, height / 2 - 10 * len(lines) + 15 + 20 * line, words, theme.text, 15)


# --- Shapes ---


def _box(x: float, y: float, width: float, height: float, fill: str, rim: str, radius: int = 10) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}" fill="{fill}" stroke="{rim}"/>'
    )


def _text(x: float, y: float, words: str, colour: str, size: int, anchor: str = "start", weight: int = 400) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(words)}</text>"
    )


def _arrow(start: float, end: float, y: float, theme: Theme) -> str:
    gap = 5 if end > start else -5
    return (
        f'<path d="M{start + gap:g} {y:g} H{end - gap:g}" stroke="{theme.arrow}" stroke-width="1.6" fill="none"'
        ' marker-end="url(#tip)"/>'
    )


def _label(x: float, y: float, kind: str, theme: Theme) -> str:
    """Write the kind of a message on its arrow."""
    style = f'fill="{theme.quiet}" paint-order="stroke" stroke="{theme.panel}" stroke-width="9"'
    return f'<text x="{x:g}" y="{y + 4.5:g}" font-size="13.5" text-anchor="middle" {style}>{kind}</text>'
