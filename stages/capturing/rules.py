"""What the flow is told in its own words: the configuration as rules, an `ack` as an event."""

from __future__ import annotations

from stages.core import flow, limits
from stages.core.messages import Ack
from stages.detectors import settings_hash
from stages.runtime.process import Settings


def rules(settings: Settings, live: bool) -> flow.Rules:
    """What the configuration says about the flow of this source."""
    pipeline = settings.pipeline
    return flow.Rules(
        attributes=tuple(settings.cards),
        cards={"detect": settings_hash(**settings.detector)} | {s: card.hash for s, card in settings.cards.items()},
        window=pipeline.window,
        window_bytes=pipeline.window_memory,
        room=limits.ROOM if live else max(limits.ROOM, min(limits.GATHERED_ROOM, pipeline.window // 2)),
        live=live,
        deadline_s=pipeline.deadline,
        give_up_after_s=pipeline.give_up_after,
        resend_after_s=pipeline.resend_after,
        tries=pipeline.tries,
        hang_s={stage: pipeline.hang_s(stage) for stage in pipeline.stages},
    )


def acked(ack: Ack) -> flow.Acked:
    """An `ack` as an event of the flow."""
    lacks = {frame: frozenset(wants) for frame, wants in ack.lacks}
    refused = tuple(flow.AnswerRefused(*refusal) for refusal in ack.refused)
    return flow.Acked(ack.incarnation, ack.number, ack.done, lacks, ack.clean, ack.preview, ack.heard, refused)
