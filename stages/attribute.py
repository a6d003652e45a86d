"""An attribute of every detected face, by the model that its card names: gender, emotion, age, and any of your own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .frames import CropGeometry
from .program import run_stage
from .protocol.messages import Attribute, Crops, Frame
from .supervision.stage import ControlChannel, Settings
from .supervision.worker import Answer, Identity, serve
from .vision.inference import load_model
from .vision.inference.card import load_card
from .vision.inference.digest import card_hash
from .vision.inference.model import Model, rows_of


def main(settings: Settings, control: ControlChannel) -> None:
    card = load_card(Path(settings.models[settings.stage]))
    wanted = settings.pipeline.attributes()[settings.stage].device
    model = load_model(card, wanted)
    if not settings.life and (sentence := about_device(settings.stage, wanted, model)):
        control.say(sentence)
    identity = Identity.of(settings, card_hash(card))

    def fits(task: Frame | Crops) -> bool:
        return isinstance(task, Crops) and are_crops_for(card.geometry, task)

    serve(settings, control, identity, answerer(identity, model, control.heartbeat), fits)


def about_device(stage: str, wanted: str, model: Model) -> str | None:
    """What a person should know of where the model runs; None where that goes without saying."""
    if model.gpu:
        return f"{stage} runs on a GPU, {model.gpu}"
    return f"{stage} runs on the processor and not on a GPU: {model.no_gpu}" if wanted == "gpu" else None


def answerer(identity: Identity, model: Model, heartbeat: Callable[[], None]) -> Callable[[list[Crops]], list[Answer]]:
    """What this stage does with tasks; in between it calls `heartbeat`."""

    def answer(tasks: list[Crops]) -> list[Answer]:
        started_s = time.perf_counter()
        rows = rows_of(model, np.concatenate([task.arrays[0] for task in tasks]), heartbeat)
        spent_s = (time.perf_counter() - started_s) / len(tasks)
        ends = np.cumsum([len(task.arrays[0]) for task in tasks])[:-1]
        return [
            Answer(to_render=attribute_message(identity, task, share, spent_s))
            for task, share in zip(tasks, np.split(rows, ends), strict=True)
        ]

    return answer


def are_crops_for(geometry: CropGeometry, task: Crops) -> bool:
    """Whether the model can take these crops: one bad task must not cost the good ones that it is batched with."""
    faces, *shape = task.arrays[0].shape
    return faces > 0 and shape == [geometry.height, geometry.width, geometry.channels]


def attribute_message(identity: Identity, task: Crops, rows: np.ndarray, spent_s: float) -> Attribute:
    """What render is told about one frame: `rows` float32 (faces, K), in the meaning of the card."""
    return Attribute(
        run=task.run,
        epoch=task.epoch,
        source=task.source,
        frame=task.frame,
        attempt=task.attempt,
        grant=task.grant,
        stage=identity.stage,
        replica=identity.replica,
        incarnation=identity.incarnation,
        boxes_hash=task.boxes_hash,
        answers=rows.tolist(),
        spent={**task.spent, identity.stage: spent_s},
    )


if __name__ == "__main__":
    run_stage(main)
