"""The face net through LiteRT, on one thread, for pictures of any shape."""

from __future__ import annotations

import numpy as np

from ..inference.fields import CardError
from ..inference.litert import interpreter_of, without_greeting
from .card import DetectorCard, check_file, drawn_face
from .cells import ANSWERS, MOST_FACES, cell_table, found, padded


class FaceNet:
    """Finds faces as its card says; CardError if the file is not the card's, or does not do what the card says."""

    def __init__(self, card: DetectorCard):
        check_file(card)
        self.card = card
        self._interpreter = interpreter_of(card)
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        shapes = [one["shape_signature"].tolist() for one in (*inputs, *outputs)]
        if len(shapes) != 2 or shapes[0] != [1, -1, -1, 3] or shapes[1][2:] != [ANSWERS]:
            raise CardError(
                f"{card.path}: {card.file.name} has inputs and outputs of the shapes {shapes}; a face net takes"
                f" [1, -1, -1, 3] and gives [1, -1, {ANSWERS}]; export it with train.export."
            )
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self._size = (0, 0)
        self._check_golden()

    def find(
        self, pixels: np.ndarray, score: float | None = None, most: int = MOST_FACES
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes (N, 4), points (N, 5, 2) and scores (N,) of a picture uint8 (H, W, 3) BGR, the surest first.

        All in pixels of the picture; `score`: from which an answer is a face, the card's if none is given.
        """
        shown = padded(pixels)
        height, width = shown.shape[:2]
        answers = self.answers(shown)
        return found(answers, height, width, self.card.score if score is None else score, self.card.overlap, most)

    def answers(self, shown: np.ndarray) -> np.ndarray:
        """What the net says, float32 (cells, 15), of a picture whose sides are multiples of the coarsest stride."""
        height, width = shown.shape[:2]
        if (height, width) != self._size:
            self._interpreter.resize_tensor_input(self._input, [1, height, width, 3], strict=True)
            with without_greeting():
                self._interpreter.allocate_tensors()
            self._size = (height, width)
        values = shown if self.card.order == "bgr" else shown[:, :, ::-1]
        self._interpreter.set_tensor(self._input, values[None].astype(np.float32))
        self._interpreter.invoke()
        answers = self._interpreter.get_tensor(self._output)[0]
        cells = len(cell_table(height, width))
        if answers.shape != (cells, ANSWERS):
            raise CardError(
                f"{self.card.path}: {self.card.file.name} gives {answers.shape} numbers for {width} x {height} pixels,"
                f" not {(cells, ANSWERS)}; export it with train.export."
            )
        return answers

    def surest(self, pixels: np.ndarray) -> tuple[np.ndarray, float]:
        """The box (4,) of the surest answer about a picture, however unsure it is, and its score."""
        shown = padded(pixels)
        answers = self.answers(shown)
        most = float(np.clip(answers[:, 0].max(), -60, 60))
        answers[:, 0] -= answers[:, 0].max()
        boxes, _, _ = found(answers, *shown.shape[:2], certain=0.4, most=1)
        if not len(boxes):
            raise CardError(
                f"{self.card.path}: {self.card.file} gives numbers that are not finite; train or export it again."
            )
        return boxes[0], float(1 / (1 + np.exp(-most)))

    def _check_golden(self) -> None:
        if (golden := self.card.golden) is None:
            return
        box, score = self.surest(drawn_face())
        off = max(abs(score - golden.score), float(np.abs(box - golden.box).max()) / golden.box[2])
        if off > golden.tolerance:
            found_at = [round(number, 1) for number in box.tolist()]
            raise CardError(
                f"{self.card.path}: {self.card.file.name} finds {score:.4f} at {found_at} in the test picture, the card"
                f" says {golden.score:.4f} at {list(golden.box)}; put the file there that the card was written for."
            )
