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

from stages.vision.detectors.card import drawn_face, load_detector_card
from stages.vision.detectors.cells import ANSWERS, STRIDES
from stages.vision.detectors.face_net import FaceNet
from stages.vision.detectors.landmarks import upright
from train.data import DataError
from train.detection.data import Photographs, validation_sets
from train.detection.evaluate import EVERY, SIDES, answered, by_net, corrupted_figures, scaled
from train.detection.net import build
from train.nets import trained_net
from train.provenance import LIMITS, learned_from
from train.recipe import Recipe, read_recipe

OVERLAP = 0.45  # of two boxes, from which they are one face
PRECISION = 0.9  # on the validation part: what comes of the score from which the card calls an answer a face
CALIBRATED_FROM = 0.15  # by the net's own word; of what is below nothing is ever shown
FEWEST = 30  # right and wrong finds without which there is nothing to calibrate by
LARGEST_DIFFERENCE = 0.03  # of a score: what rounding weights to float16 may do
CHECKED = (96, 160)  # height and width of the picture on which the file must agree with Keras


def export(run: Path, name: str, models: Path, data: Path | None, say: Callable[[str], None]) -> Path:
    """Write models/NAME.tflite and models/NAME.yaml from RUN/best.keras; DataError if they do not agree."""
    recipe = read_recipe(run)
    if data is not None:
        recipe = recipe.with_changes({"data": str(data)})
    net = colours_swapped(trained_net(run / "best.keras"), recipe.width)
    sets = validation_sets(recipe.repeats, Path(recipe.data))
    card = {
        "name": name,
        "file": f"{name}.tflite",
        "task": "faces",
        "input": {"dtype": "float32", "range": [0, 255], "order": "bgr"},
        "strides": list(STRIDES),
        "score": 0.5,  # until it is measured, below
        "overlap": OVERLAP,
        "framing": {"side": 1.0, "right": 0.0, "down": 0.0},  # likewise
        "trained": {
            **learned_from(run, recipe),
            "score": "the share of such finds that are faces, on the validation part",
            "weights": f"{net.count_params():,}, stored as float16, computed with as float32",
        },
        "limits": LIMITS["faces"],
    }
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models, prefix=".export-") as folder:
        draft = Path(folder) / f"{name}.yaml"

        def file_of(scale: float, shift: float) -> FaceNet:
            content = converted(net, scale, shift)
            (Path(folder) / card["file"]).write_bytes(content)
            card["sha256"] = hashlib.sha256(content).hexdigest()
            draft.write_text(written(card), encoding="utf-8")
            return FaceNet(load_detector_card(draft))

        scale, shift = calibration(file_of(1.0, 0.0), sets)
        exported = file_of(scale, shift)
        difference = differences(net, exported, scale, shift)
        if difference > LARGEST_DIFFERENCE:
            raise DataError(f"{run}: the file is off Keras by {difference:.3f} of a score; nothing is written.")
        card["score"] = certain(exported, sets)
        card["framing"] = framing(exported, sets, card["score"])
        draft.write_text(written(card), encoding="utf-8")
        exported = FaceNet(load_detector_card(draft))
        box, score = exported.surest(drawn_face())
        card["golden"] = {"score": round(score, 4), "box": [round(float(v), 2) for v in box], "tolerance": 0.02}
        card["figures"] = figures(exported, recipe, f"{models.name}/{name}.yaml")
        draft.write_text(written(card), encoding="utf-8")
        FaceNet(load_detector_card(draft))  # the stages' own check, before anything in models/ changes
        size = (Path(folder) / card["file"]).stat().st_size
        (Path(folder) / card["file"]).replace(models / card["file"])
        draft.replace(models / f"{name}.yaml")
    say(f"{models / card['file']}: {size / 1e6:.2f} MB, off Keras by at most {difference:.4f} of a score")
    return models / f"{name}.yaml"


def colours_swapped(trained: keras.Model, width: float) -> keras.Model:
    """The trained net in float32, for BGR: pictures come so, and turning every one around would cost time."""
    net = build(width)
    weights = trained.get_weights()
    net.set_weights([weights[0][:, :, ::-1], *weights[1:]])
    return net


def calibration(net: FaceNet, sets: dict[str, Photographs]) -> tuple[float, float]:
    """Scale and shift of the net's logit, after which its score is the share of such finds that are faces.

    As Platt (1999) has it, fitted to the finds on the validation parts: a net learns how well its box will fit, which
    for a clear face is 0.6, and would say so of a face that nobody doubts.
    """
    told = [
        answered(by_net(net, side, CALIBRATED_FROM), photographs).matches
        for photographs in sets.values()
        for side in SIDES
    ]
    scores, right = (np.concatenate([getattr(matches, name) for matches in told]) for name in ("scores", "right"))
    if right.sum() < FEWEST or (~right).sum() < FEWEST:
        return 1.0, 0.0
    logits = np.column_stack([np.log(scores / (1 - scores)), np.ones(len(scores))])
    weights = np.array([1.0, 0.0])
    for _ in range(50):  # Newton's method; the loss is convex
        share = 1 / (1 + np.exp(-logits @ weights))
        curvature = (logits * (share * (1 - share))[:, None]).T @ logits + 1e-6 * np.eye(2)
        weights -= np.linalg.solve(curvature, logits.T @ (share - right))
    return float(weights[0]), float(weights[1])


def converted(net: keras.Model, scale: float, shift: float) -> bytes:
    """A .tflite file that takes a picture of any size whose sides are multiples of the coarsest stride.

    `scale`, `shift`: of the first number of each cell, the logit of its score.
    """
    import tensorflow as tf

    scales, shifts = tf.constant([scale, *[1.0] * (ANSWERS - 1)]), tf.constant([shift, *[0.0] * (ANSWERS - 1)])
    answers = tf.function(lambda picture: net(picture, training=False) * scales + shifts)
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


def differences(net: keras.Model, exported: FaceNet, scale: float, shift: float) -> float:
    """How far scores of the file and of Keras are apart, at most, on noise with the drawn face in it."""
    pixels = np.random.default_rng(1).integers(0, 256, (*CHECKED, 3)).astype(np.uint8)
    pixels[:, : CHECKED[0]] = drawn_face(CHECKED[0])
    by_keras = np.asarray(net(pixels[None].astype(np.float32), training=False))[0]
    logits = scale * by_keras[:, 0] + shift, exported.answers(pixels)[:, 0]
    scores = [1 / (1 + np.exp(-one)) for one in logits]
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
    """Side, right and down of `BoxNormalization`, float (N, 3), of boxes (N, 4) with points (N, 5, 2); NaN without
    points."""
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
