"""An attribute of every detected face, by the model that its card names: gender, emotion, age, and any of your own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stages.core import limits
from stages.core.frames import CropGeometry
from stages.core.messages import Attribute, Crops, Frame
from stages.inference import load_model
from stages.inference.card import card_hash, load_card
from stages.inference.model import Model
from stages.runtime.chaos import disorder_of
from stages.runtime.curve import security_of
from stages.runtime.process import Launcher, Settings, run_stage
from stages.runtime.worker import Answer, Identity, serve


def main(settings: Settings, launcher: Launcher) -> None:
    card = load_card(Path(settings.models[settings.stage]))
    wanted = settings.pipeline.attributes()[settings.stage].device
    model = load_model(card, wanted)
    if not settings.life and (sentence := about_device(settings.stage, wanted, model)):
        launcher.say(sentence)
    identity = Identity.of(settings, card_hash(card))

    def fits(piece: Frame | Crops) -> bool:
        return isinstance(piece, Crops) and are_crops_for(card.geometry, piece)

    serve(
        identity,
        settings.render,
        settings.captures,
        answerer(identity, model, launcher.beat),
        launcher,
        once=settings.once,
        security=security_of(settings),
        fits=fits,
        disorder=disorder_of(settings),
    )


def about_device(stage: str, wanted: str, model: Model) -> str | None:
    """What a person should know of where the model runs; None where that goes without saying."""
    if model.gpu:
        return f"{stage} runs on a GPU, {model.gpu}"
    return f"{stage} runs on the processor and not on a GPU: {model.no_gpu}" if wanted == "gpu" else None


def answerer(identity: Identity, model: Model, beat: Callable[[], None]) -> Callable[[list[Crops]], list[Answer]]:
    """What this stage does with pieces of work; in between it calls `beat`."""

    def answer(pieces: list[Crops]) -> list[Answer]:
        started_s = time.perf_counter()
        crops = np.concatenate([piece.arrays[0] for piece in pieces])
        parts = []
        for first in range(0, len(crops), limits.BATCH_FACES):
            beat()  # One frame may have hundreds of faces.
            parts.append(model.answers(crops[first : first + limits.BATCH_FACES]))
        rows = np.concatenate(parts)
        if not np.isfinite(rows).all():  # Render would refuse it, and this process with it.
            raise ValueError("the model answered with something that is not a number")
        spent_s = (time.perf_counter() - started_s) / len(pieces)
        ends = np.cumsum([len(piece.arrays[0]) for piece in pieces])[:-1]
        return [
            Answer(to_render=attribute_message(identity, piece, share, spent_s))
            for piece, share in zip(pieces, np.split(rows, ends), strict=True)
        ]

    return answer


def are_crops_for(geometry: CropGeometry, piece: Crops) -> bool:
    """Whether the model can take these crops: one bad piece must not cost the good ones that it is batched with."""
    faces, *shape = piece.arrays[0].shape
    return faces > 0 and shape == [geometry.height, geometry.width, geometry.channels]


def attribute_message(identity: Identity, piece: Crops, rows: np.ndarray, spent_s: float) -> Attribute:
    """What render is told about one frame: `rows` float32 (faces, K), in the meaning of the card."""
    return Attribute(
        run=piece.run,
        epoch=piece.epoch,
        source=piece.source,
        frame=piece.frame,
        attempt=piece.attempt,
        grant=piece.grant,
        stage=identity.stage,
        replica=identity.replica,
        incarnation=identity.incarnation,
        boxes=piece.boxes,
        answers=rows.tolist(),
        spent={**piece.spent, identity.stage: spent_s},
    )


if __name__ == "__main__":
    run_stage(main)
