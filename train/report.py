"""The log and the pictures of a run: everything that explains it, beside its weights."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from train.data import AGE_GROUPS, UNKNOWN, Faces, Head, majority
from train.files import whole, write_text
from train.measures import age_group, calibration
from train.recipe import Recipe
from train.targets import by_head, probabilities

matplotlib.use("Agg")

MISTAKES = 24  # shown, the surest first


def report(run: Path, recipe: Recipe, history: list[dict], validation: dict, answers: dict[str, np.ndarray]) -> None:
    """Write log.csv, log.md, curves.png, and for every head confusion, calibration and mistakes on the validation part.

    `validation` has faces and crops by data set, `answers` the logits of best.keras for them.
    """
    write_log(history, run / "log.csv")
    write_text(run / "log.md", markdown(recipe, history))
    draw_curves(history, recipe.task, run / "curves.png")
    for source, (faces, crops) in validation.items():
        for head, logits in by_head(recipe.what.heads, answers[source]):
            truth = truth_of(head, faces)
            if truth is not None and (truth != UNKNOWN).any():
                known = truth != UNKNOWN
                draw_head(run, head, source, logits[known], truth[known], crops[known])


def truth_of(head: Head, faces: Faces) -> np.ndarray | None:
    """The true class int (N,), or the true group of ages; None where the data set has neither."""
    for column in head.columns:
        if column in faces.labels:
            values = faces.labels[column]
            if head.kind == "votes":
                return majority(faces)
            return np.where(values == UNKNOWN, UNKNOWN, age_group(values)) if column == "age" else values
    return None


def draw_head(run: Path, head: Head, source: str, logits: np.ndarray, truth: np.ndarray, crops: np.ndarray) -> None:
    names, shares = head.labels, probabilities(logits)
    called, sure = shares.argmax(axis=1), shares.max(axis=1)
    if head.kind == "age":
        names, called = AGE_GROUPS, age_group(shares @ np.array(head.labels))
    title = f"{head.name} on {source}"
    place = f"{head.name}-{source}"
    draw_confusion(
        names, called, truth, f"{title}, validation part, {len(truth)} pictures", run / f"confusion-{place}.png"
    )
    if head.kind != "age":
        draw_calibration({title: (sure, called == truth)}, run / f"calibration-{place}.png")
    draw_mistakes(names, called, truth, sure, crops, run / f"mistakes-{place}.png")


def write_log(history: list[dict], path: Path) -> None:
    """One line per epoch, written anew: a resumed run must not keep lines of an epoch that it repeats."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    with whole(path) as unfinished, open(unfinished, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=columns)
        writer.writeheader()
        writer.writerows(history)


def markdown(recipe: Recipe, history: list[dict]) -> str:
    """The recipe and the epochs as a page to read."""
    best = min(history, key=lambda row: row["error"])
    names = [name for name in history[0] if " on " in name]
    lines = [
        f"# {recipe.task}",
        "",
        f"Best after epoch {best['epoch']} of {len(history)}, {history[-1]['seconds']} s.",
        "",
    ]
    lines += ["| setting | value |", "| --- | --- |"]
    lines += [
        f"| {name} | `{value}` |"
        for name, value in dataclasses.asdict(recipe).items()
        if value not in ("", None, {}, ())
    ]
    lines += ["", "Errors on the validation parts: shares, or decades of an age.", ""]
    lines += [f"| epoch | seconds | loss | {' | '.join(names)} |", "| --- " * (3 + len(names)) + "|"]
    for row in history:
        errors = " | ".join(f"{row[name]:.4f}" for name in names)
        mark = " (best)" if row is best else ""
        lines.append(f"| {row['epoch']}{mark} | {row['seconds']} | {row['loss']:.3f} | {errors} |")
    return "\n".join(lines) + "\n"


def save(figure: Figure, path: Path) -> None:
    with whole(path) as unfinished:
        figure.savefig(unfinished, dpi=100)


def draw_curves(history: list[dict], task: str, path: Path) -> None:
    """Training loss, validation errors and learning rate against the epoch."""
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(12, 3.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.plot(epochs, [row["loss"] for row in history], marker=".")
    left.set(xlabel="epoch", ylabel="training loss (nats)", title=task)
    for name in (name for name in history[0] if " on " in name):
        middle.plot(epochs, [100 * row[name] for row in history], marker=".", label=name)
    middle.set(xlabel="epoch", ylabel="validation error (%, or tenths of a year)")
    middle.legend(fontsize=7)
    right.plot(epochs, [row["learning_rate"] for row in history], marker=".")
    right.set(xlabel="epoch", ylabel="learning rate", yscale="log")
    save(figure, path)


def draw_confusion(names: tuple, called: np.ndarray, truth: np.ndarray, title: str, path: Path) -> None:
    """Share of each true class (row) that is called each class (column); rows and columns are named by one list."""
    shares = confusion(truth, called, len(names))
    figure = Figure(figsize=(2.4 + 0.62 * len(names), 1.9 + 0.5 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    for row, column in np.ndindex(shares.shape):
        shade = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column, row, f"{shares[row, column]:.0%}", ha="center", va="center", fontsize=8, color=shade)
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("called")
    axes.set_ylabel("labelled")
    axes.set_title(title, fontsize=9)
    save(figure, path)


def confusion(truth: np.ndarray, called: np.ndarray, count: int) -> np.ndarray:
    """Rows of true classes, each summing to 1; a class without pictures is a row of zeros."""
    table = np.zeros((count, count))
    np.add.at(table, (truth, called), 1)
    return table / np.maximum(table.sum(axis=1, keepdims=True), 1)


def draw_calibration(measured: dict[str, tuple[np.ndarray, np.ndarray]], path: Path) -> None:
    """Accuracy against confidence, for each title its confidence float (N,) and whether it was right, bool (N,)."""
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 100], [0, 100], color="0.7", linewidth=1)
    for title, (sure, right) in measured.items():
        bins = calibration(sure, right)
        sizes = [400 * share for _, _, share in bins]
        axes.plot([100 * c for c, _, _ in bins], [100 * a for _, a, _ in bins], label=title)
        axes.scatter([100 * c for c, _, _ in bins], [100 * a for _, a, _ in bins], s=sizes, alpha=0.5)
    axes.set(xlabel="confidence (%)", ylabel="right (%), circles by number of pictures", xlim=(0, 102), ylim=(0, 102))
    axes.legend(fontsize=8)
    save(figure, path)


def draw_mistakes(
    names: tuple, called: np.ndarray, truth: np.ndarray, sure: np.ndarray, crops: np.ndarray, path: Path
) -> None:
    """The wrong answers that the net was surest of, each with what it was called and what it is labelled."""
    wrong = np.flatnonzero(called != truth)
    wrong = wrong[np.argsort(-sure[wrong])][:MISTAKES]
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    for axes, i in zip(figure.subplots(4, 6).ravel(), [*wrong, *[None] * (MISTAKES - len(wrong))], strict=True):
        axes.axis("off")
        if i is not None:
            picture = crops[i][..., 0] if crops.shape[3] == 1 else crops[i][..., ::-1]
            axes.imshow(picture, cmap="gray" if crops.shape[3] == 1 else None)
            axes.set_title(f"{names[called[i]]} {sure[i]:.0%}, labelled {names[truth[i]]}", fontsize=7)
    save(figure, path)
