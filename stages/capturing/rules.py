"""What the dispatcher is told in its own words: the configuration as rules, an `ack` as an event."""

from __future__ import annotations

from ..delivery import dispatcher
from ..protocol import limits
from ..protocol.messages import Ack
from ..supervision.stage import Settings


def rules(settings: Settings, live: bool) -> dispatcher.Rules:
    """What the configuration says about handing out the tasks of this source."""
    pipeline = settings.pipeline
    return dispatcher.Rules(
        attributes=tuple(settings.cards),
        cards={"detect": settings.detector_hash} | {s: card.hash for s, card in settings.cards.items()},
        window=pipeline.window,
        window_bytes=pipeline.window_memory,
        credit=limits.CREDIT if live else max(limits.CREDIT, min(limits.GATHERED_CREDIT, pipeline.window // 2)),
        live=live,
        deadline_s=pipeline.deadline,
        give_up_after_s=pipeline.give_up_after,
        resend_after_s=pipeline.resend_after,
        tries=pipeline.tries,
        hang_s={stage: pipeline.hang_s(stage) for stage in pipeline.stages},
    )


def acked(ack: Ack) -> dispatcher.Acked:
    """An `ack` as an event of the dispatcher."""
    missing_parts = {frame: frozenset(wants) for frame, wants in ack.missing_parts}
    refused = tuple(dispatcher.AnswerRefused(*refusal) for refusal in ack.refused)
    return dispatcher.Acked(
        ack.incarnation, ack.number, ack.acked_up_to, missing_parts, ack.clean, ack.preview, ack.heard, refused
    )
