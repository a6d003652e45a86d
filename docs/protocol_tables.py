"""The tables and state diagrams of docs/protocol.md, from the messages and the tables of states."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum

from stages.delivery import states
from stages.protocol import messages
from stages.protocol.messages import Attribute, Faces, Message, Welcome

OF_A_FRAME = ("run", "epoch", "source", "frame", "grant", "arrays")  # said once, above the table
_BLOCK = re.compile(r"(<!-- (\w+): written by make pictures -->\n).*?(<!-- end of \2 -->)", re.DOTALL)


def with_tables(page: str) -> str:
    """The page with each table and diagram between its two marks."""
    made = {
        "messages": message_table(),
        "frame": diagram(states.FRAME, states.FrameState.QUEUED),
        "worker": diagram(states.WORKER, states.WorkerState.SERVING),
        "source": diagram(states.SOURCE, states.SourceState.WAITING),
    }
    return _BLOCK.sub(lambda block: block[1] + made[block[2]] + block[3], page)


def message_table() -> str:
    """Every message in Markdown: its kind, who sends it to whom, what it says and carries."""
    lines = ["| kind | from → to | says | carries |", "| --- | --- | --- | --- |"]
    for message in messages.ALL:
        row = f"| `{message.kind}` | {_arrows(message)} | {_first_sentence(message)} | {_carried(message)} |"
        if row not in lines:
            lines.append(row)
    return "\n".join(lines) + "\n"


def diagram(table: Mapping[tuple[Enum, Enum], Enum], first: Enum) -> str:
    """A table of states as a Mermaid diagram; events that lead from one state to the same next one share an arrow."""
    events: dict[tuple[Enum, Enum], list[str]] = {}
    for (state, event), after in table.items():
        events.setdefault((state, after), []).append(event.value)
    arrows = [f"    {state.value} --> {after.value}: {', '.join(names)}" for (state, after), names in events.items()]
    lasting = {state for state, _ in table}
    ends = [f"    {state.value} --> [*]" for state in dict.fromkeys(table.values()) if state not in lasting]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {first.value}", *arrows, *ends, "```", ""])


def _arrows(message: type[Message]) -> str:
    return ", ".join(_ways(message))


def _ways(message: type[Message]) -> Iterator[str]:
    is_of_worker = message in messages.TO_CAPTURE or message in (Faces, Attribute)
    if message in messages.TO_CAPTURE:
        yield "worker → capture"
    if message in messages.TO_WORKER:
        yield "capture → worker"
    if message in messages.TO_RENDER:
        yield "worker → render" if is_of_worker else "capture → render"
    if message in messages.FROM_RENDER:
        yield "render → capture, worker" if message is Welcome else "render → capture"


def _first_sentence(message: type[Message]) -> str:
    words = " ".join(message.__doc__.split())
    return re.split(r"(?<=\.) ", words)[0].rstrip(".")


def _carried(message: type[Message]) -> str:
    names = [f"`{name}`" for name in message.__struct_fields__ if name not in OF_A_FRAME]
    most = message.buffers[1]
    pixels = ["pixels"] if most else []
    return ", ".join([*names, *pixels]) or "–"
