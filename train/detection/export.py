"""Turn a run of the face detector into a .tflite file of any picture shape and a card that says how to read it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import yaml

from stages.detectors.card import drawn_face, load_detector_card
from stages.detectors.cells import STRIDES
from stages.detectors.face_net import FaceNet
from stages.detectors.landmarks import upright
from train.data import DataError
from train.detection.data import Photographs, validation_sets
from train.detection.evaluate import EVERY, SIDES, answered, by_net, corrupted_figures, scaled
from train.detection.net import build
from train.nets import trained_net
from train.provenance import LIMITS, learned_from
from train.recipe import Recipe, read_recipe

OVERLAP = 0.45  # of two boxes, from which they are one face
PRECISION = 0.9  # on the validation part: what comes of the score from which the card calls an answer a face
LARGEST_DIFFERENCE = 0.03  # of a score: what rounding weights to float16 may do
CHECKED = (96, 160)  # height and width of the picture on which the file must agree with Keras


def export(run: Path, name: str, models: Path, data: Path | None, say: Callable[[str], None]) -> Path:
    """Write models/NAME.tflite and models/NAME.yaml from RUN/best.keras; DataError if they do not agree."""
    recipe = read_recipe(run)
    if data is not None:
        recipe = recipe.with_changes({"data": str(data)})
    net = colours_swapped(trained_net(run / "best.keras"), recipe.width)
    content = converted(net)
    card = {
        "name": name,
        "file": f"{name}.tflite",
        "sha256": hashlib.sha256(content).hexdigest(),
        "task": "faces",
        "input": {"dtype": "float32", "range": [0, 255], "order": "bgr"},
        "strides": list(STRIDES),
        "score": 0.5,  # until it is measured, below
        "overlap": OVERLAP,
        "framing": {"side": 1.0, "right": 0.0, "down": 0.0},  # likewise
        "trained": {
            **learned_from(run, recipe),
            "weights": f"{net.count_params():,}, stored as float16, computed with as float32",
        },
        "limits": LIMITS["faces"],
    }
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models, prefix=".export-") as folder:
        draft = Path(folder) / f"{name}.yaml"
        (Path(folder) / card["file"]).write_bytes(content)
        draft.write_text(written(card), encoding="utf-8")
        exported = FaceNet(load_detector_card(draft))
        difference = differences(net, exported)
        if difference > LARGEST_DIFFERENCE:
            raise DataError(f"{run}: the file is off Keras by {difference:.3f} of a score; nothing is written.")
        sets = validation_sets(recipe.repeats, Path(recipe.data))
        card["score"] = certain(exported, sets)
        card["framing"] = framing(exported, sets, card["score"])
        draft.write_text(written(card), encoding="utf-8")
        exported = FaceNet(load_detector_card(draft))
        box, score = exported.surest(drawn_face())
        card["golden"] = {"score": round(score, 4), "box": [round(float(v), 2) for v in box], "tolerance": 0.02}
        card["figures"] = figures(exported, recipe, f"{models.name}/{name}.yaml")
        draft.write_text(written(card), encoding="utf-8")
        FaceNet(load_detector_card(draft))  # the stages' own check, before anything in models/ changes
        (Path(folder) / card["file"]).replace(models / card["file"])
        draft.replace(models / f"{name}.yaml")
    say(f"{models / card['file']}: {len(content) / 1e6:.2f} MB, off Keras by at most {difference:.4f} of a score")
    return models / f"{name}.yaml"


def colours_swapped(trained: keras.Model, width: float) -> keras.Model:
    """The trained net in float32, for BGR: pictures come so, and turning every one around would cost time."""
    net = build(width)
    weights = trained.get_weights()
    net.set_weights([weights[0][:, :, ::-1], *weights[1:]])
    return net


def converted(net: keras.Model) -> bytes:
    """A .tflite file that takes a picture of any size whose sides are multiples of the coarsest stride."""
    import tensorflow as tf

    answers = tf.function(lambda picture: net(picture, training=False))
    any_picture = answers.get_concrete_function(tf.TensorSpec((1, None, None, 3), tf.float32))
    # Without the net beside it: with it the file had no weights (TensorFlow 2.21).
    converter = tf.lite.TFLiteConverter.from_concrete_functions([any_picture])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    with contextlib.redirect_stdout(io.StringIO()):
        content = converter.convert()
    if len(content) < net.count_params() * 1.8:
        raise DataError(
            f"The converted file has {len(content)} bytes, too few to hold the weights; nothing is written."
        )
    return content


def differences(net: keras.Model, exported: FaceNet) -> float:
    """How far scores of the file and of Keras are apart, at most, on noise with the drawn face in it."""
    pixels = np.random.default_rng(1).integers(0, 256, (*CHECKED, 3)).astype(np.uint8)
    pixels[:, : CHECKED[0]] = drawn_face(CHECKED[0])
    by_keras = np.asarray(net(pixels[None].astype(np.float32), training=False))[0]
    scores = [1 / (1 + np.exp(-answers[:, 0])) for answers in (by_keras, exported.answers(pixels))]
    return float(np.abs(scores[0] - scores[1]).max())


def certain(net: FaceNet, sets: dict[str, Photographs]) -> float:
    """The score from which an answer is a face: with it, PRECISION at each size on each validation part."""
    told = [
        answered(by_net(net, side, EVERY), photographs).matches.score_at(PRECISION)
        for photographs in sets.values()
        for side in SIDES
    ]
    return round(float(np.clip(max((score for score in told if score is not None), default=0.5), 0.05, 0.95)), 2)


def framing(net: FaceNet, sets: dict[str, Photographs], certain: float) -> dict[str, float]:
    """From the net's boxes to normalised ones: medians over the faces that its points frame by themselves.

    So both ways of a face lead to the same square, whichever can be gone.
    """
    seen = [np.full((1, 3), np.nan)]
    for photographs in sets.values():
        for index in range(len(photographs)):
            boxes, points, _ = net.find(scaled(photographs.picture(index), SIDES[-1])[0], certain)
            seen.append(framings(boxes, points))
    measured = np.concatenate(seen)
    measured = measured[np.isfinite(measured).all(axis=1)]
    side, right, down = np.median(measured, axis=0) if len(measured) else (1.0, 0.0, 0.0)
    return {"side": round(float(side), 3), "right": round(float(right), 3), "down": round(float(down), 3)}


def framings(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Side, right and down of `Framing`, float (N, 3), of boxes (N, 4) with points (N, 5, 2); NaN without points."""
    squares, _ = upright(points)
    sides = squares[:, 2]
    shifts = squares[:, :2] + squares[:, 2:] / 2 - boxes[:, :2] - boxes[:, 2:] / 2
    return np.column_stack([sides / boxes[:, 2:].max(axis=1, initial=1e-9), shifts / sides[:, None]])


def figures(net: FaceNet, recipe: Recipe, card: str) -> dict[str, dict]:
    """What the card says of each validation part at each size, and of pictures made worse at the larger one."""
    told = {}
    for source, photographs in validation_sets(recipe.repeats, Path(recipe.data)).items():
        for side in SIDES:
            row = answered(by_net(net, side, EVERY), photographs).figures()
            # With every score most of the time would go into boxes that nobody will see.
            row["a picture (ms)"] = answered(by_net(net, side, net.card.score), photographs).milliseconds
            del row["ms"]
            told[f"{source}, validation part, longest side {side}"] = {key: round(v, 4) for key, v in row.items()}
        worse = {kind: figures["average precision"] for kind, figures in corrupted_figures(net, photographs)}
        told[f"{source}, validation part, longest side {side}"] |= {
            "pictures": len(photographs),
            "made worse": {kind: round(value, 4) for kind, value in worse.items()},
            "command": f"python -m train.evaluate {card} {source} --part validation --corrupted",
        }
    return told


def written(card: dict) -> str:
    return yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
