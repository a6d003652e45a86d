"""The log and the pictures of a run."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from train.data import Task
from train.targets import probabilities

matplotlib.use("Agg")

DECADES = ("0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+")


def write_log(history: list[dict], path: Path) -> None:
    """One line per epoch, written anew: a resumed run must not keep lines of an epoch that it repeats."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def draw_curves(history: list[dict], recipe, path: Path) -> None:
    """Training loss and validation error against the epoch."""
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(8, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [row["loss"] for row in history], marker=".")
    left.set(xlabel="epoch", ylabel="training loss (nats)", title=recipe.task)
    if recipe.what.kind == "age":
        right.plot(epochs, [row["error"] for row in history], marker=".")
        right.set(xlabel="epoch", ylabel="validation error (years, mean absolute)")
    else:
        right.plot(epochs, [100 * (1 - row["error"]) for row in history], marker=".")
        right.set(xlabel="epoch", ylabel="validation accuracy (%)")
    figure.savefig(path, dpi=110)


def draw_confusion(task: Task, logits: np.ndarray, labels: np.ndarray, path: Path) -> None:
    """Share of each true class (row) that is called each class (column), on the validation part; age by decades."""
    names, truth, called = task.labels, labels, logits.argmax(axis=1)
    if task.kind == "age":
        names = DECADES
        truth = decade(labels)
        called = decade(probabilities(logits) @ np.array(task.labels))
    shares = confusion(truth, called, len(names))
    figure = Figure(figsize=(1.8 + 0.62 * len(names), 1.5 + 0.55 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    for row, column in np.ndindex(shares.shape):
        shade = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column, row, f"{shares[row, column]:.0%}", ha="center", va="center", fontsize=8, color=shade)
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="called", ylabel="labelled", title=f"{task.name}, validation part, {len(labels)} pictures")
    figure.savefig(path, dpi=110)


def confusion(truth: np.ndarray, called: np.ndarray, count: int) -> np.ndarray:
    """Rows of true classes, each summing to 1; a class without pictures is a row of zeros."""
    table = np.zeros((count, count))
    np.add.at(table, (truth, called), 1)
    return table / np.maximum(table.sum(axis=1, keepdims=True), 1)


def decade(years: np.ndarray) -> np.ndarray:
    """Years -> index into DECADES."""
    return (np.asarray(years) // 10).astype(int).clip(0, len(DECADES) - 1)
