"""Training on Keras's other backends, each in a process of its own: Keras takes one when it is imported."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from train.state import Progress

TRAINED = """
import sys
from train.__main__ import main
status = main()
import keras
print("on", keras.backend.backend())
sys.exit(status)
"""


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_net_trains_on_the_backend_that_is_asked_for(backend, data, tmp_path):
    missing = [name for name in ("keras", "matplotlib", backend) if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed: pip install {missing[0]}")
    words = ["age", "--epochs", "1", "--batch", "16", "--architecture", "residual", "--workers", "0"]
    words += ["--data", str(data), "--out", str(tmp_path / "run")]
    words += [word for setting in ("side=24", "width=0.25", "sources={utkface: 1}") for word in ("--recipe", setting)]
    environment = os.environ | {"KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", TRAINED, *words], env=environment, capture_output=True, text=True, timeout=380
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"on {backend}"
    (row,) = Progress.read(tmp_path / "run").history
    assert np.isfinite(row["loss"]) and (tmp_path / "run/best.keras").is_file()
