"""What is wrong with an answer that cannot be taken."""

from __future__ import annotations

from ..config.settings import CardSettings
from ..delivery.grants import Assignment
from ..protocol.messages import Attribute, Faces


def flaw_of(message: Faces | Attribute, assignment: Assignment, cards: dict[str, CardSettings]) -> str | None:
    """Why this is no answer to the task that it was granted for; None if it is one."""
    stage = message.stage if isinstance(message, Attribute) else "detect"
    if (message.frame, message.attempt, stage) != (assignment.frame, assignment.attempt, assignment.stage):
        return f"is one of {stage} for frame {message.frame}, which it was not given"
    if isinstance(message, Faces):
        return _flaw_of_faces(message)
    if message.boxes_hash != assignment.boxes_hash:
        return "names other boxes than the crops that it was given"
    if len(message.answers) != assignment.faces:
        return f"has {len(message.answers)} rows for {assignment.faces} faces"
    if stage not in cards:
        return f"is one of {stage}, which render does not know"
    columns = len(cards[stage].shown)
    if any(len(row) != columns for row in message.answers):
        return f"has rows that are not of {columns} numbers"
    return None


def _flaw_of_faces(message: Faces) -> str | None:
    if len(message.scores) != len(message.boxes):
        return f"has {len(message.scores)} scores for {len(message.boxes)} faces"
    if message.landmarks or message.poses or message.qualities:
        known = [[bool(points) for points in message.landmarks], [bool(pose) for pose in message.poses]]
        known.append([quality is not None for quality in message.qualities])
        if any(len(of_faces) != len(message.boxes) or of_faces != known[0] for of_faces in known):
            return "has landmarks, poses and qualities of different faces"
    if message.boxes_hash != message.expected_hash:
        return "has boxes that are not those it names"
    return None
