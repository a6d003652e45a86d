"""What every test may use: the photographs of the demo packages, and material beside the checkout where it is there."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[1].parent / "shared"

cv2.setNumThreads(1)


def _beside_the_checkout(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs ../shared/{name}, which is not part of the project")
    return folder


@pytest.fixture(scope="session")
def media() -> Path:
    """Real clips and pictures."""
    return _beside_the_checkout("media")


@pytest.fixture(scope="session")
def bugs() -> Path:
    """Small inputs that were read wrongly once."""
    return _beside_the_checkout("bugs")


@pytest.fixture(scope="session")
def peers() -> Path:
    """Third-party model files."""
    return _beside_the_checkout("peers")


@pytest.fixture(scope="session")
def data_sets() -> Path:
    """Archives of the training data."""
    return _beside_the_checkout("data")


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A portrait with one face: uint8 (512, 512, 3) BGR. Eileen Collins, photographed by NASA, public domain."""
    from skimage.data import astronaut as rgb

    return np.ascontiguousarray(rgb()[:, :, ::-1])
