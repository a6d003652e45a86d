"""What the dispatcher is told of the configuration."""

from __future__ import annotations

from ..delivery.rules import Rules
from ..protocol import limits
from ..supervision.stage import Settings


def rules(settings: Settings, live: bool) -> Rules:
    """What the configuration says about handing out the tasks of this source."""
    pipeline = settings.pipeline
    return Rules(
        attributes=tuple(settings.cards),
        cards={"detect": settings.detector_hash} | {s: card.hash for s, card in settings.cards.items()},
        window=pipeline.window,
        window_bytes=pipeline.window_memory,
        credit=limits.CREDIT if live else max(limits.CREDIT, min(limits.FILE_CREDIT, pipeline.window // 2)),
        live=live,
        deadline_s=pipeline.deadline,
        give_up_after_s=pipeline.give_up_after,
        resend_after_s=pipeline.resend_after,
        tries=pipeline.tries,
        hang_s={stage: pipeline.hang_s(stage) for stage in pipeline.stages},
    )
