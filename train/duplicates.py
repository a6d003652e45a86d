"""Near copies of a picture, found by a perceptual hash, so that they can be kept on one side of a split."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from train.data import part_by_name

SIDE = 16  # a hash has SIDE x SIDE bits
NEAR = 10  # bits by which near copies differ at most, of 256; two unlike faces differ in a hundred or so
# The same photograph, cut a little differently or with a watermark, differs in up to 35 bits: found by eye, of FER2013
# and of two sets with pictures in common. Unlike faces seldom do; to leave out a hundred too many costs little.
ALIKE = 35


def difference_hash(picture: np.ndarray) -> np.ndarray:
    """bool (SIDE * SIDE,): where a picture, uint8 (H, W), gets brighter to the right. Light and size change little."""
    small = cv2.resize(picture, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
    return (small[:, 1:] > small[:, :-1]).ravel()


def signs_of(hashes: np.ndarray) -> np.ndarray:
    """bool (N, K) -> float32 of +1 and -1: the product of two is K less twice the bits in which they differ."""
    return hashes.astype(np.float32) * 2 - 1


def like_any(signs: np.ndarray, others: np.ndarray) -> np.ndarray:
    """bool (N,): which of the signs (N, SIDE * SIDE) are ALIKE to one of the others (M, SIDE * SIDE)."""
    least = SIDE**2 - 2 * ALIKE
    found = [(signs[first : first + 1024] @ others.T >= least).any(axis=1) for first in range(0, len(signs), 1024)]
    return np.concatenate([np.zeros(0, bool), *found])


def groups_of(pictures: Sequence[np.ndarray | None]) -> np.ndarray:
    """A number for each picture, int (N,): near copies share one. None, an unreadable picture, is alone."""
    hashes = np.array([np.zeros(SIDE**2, bool) if p is None else difference_hash(p) for p in pictures])
    parent = np.arange(len(pictures))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    signs = signs_of(hashes)
    for first in range(0, len(pictures), 1024):
        likeness = signs[first : first + 1024] @ signs.T
        for i, j in zip(*np.nonzero(likeness >= SIDE**2 - 2 * NEAR), strict=True):
            if first + i < j and pictures[first + i] is not None and pictures[j] is not None:
                parent[root(int(j))] = root(first + int(i))
    return np.array([root(i) for i in range(len(pictures))])


def parts_of_groups(names: Sequence[str], pictures: Sequence[np.ndarray | None]) -> list[str]:
    """A part for every picture of a set without a split, by the name of the first of its near copies."""
    return [part_by_name(names[group]) for group in groups_of(pictures)]
