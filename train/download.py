"""Data sets from Kaggle, for who has a key there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from train.data import DataError

# Name of the data set -> where Kaggle keeps it, and in which folder `train.prepare` expects it.
KAGGLE = {
    "fer2013": ("msambare/fer2013", "fer2013"),
    "utkface": ("jangedoo/utkface-new", "UTKFace"),
}


def download(name: str, folder: Path) -> str:
    """Download and unpack one data set with Kaggle's own command; one line says where. DataError where that fails."""
    if name not in KAGGLE:
        raise DataError(f"{name!r} is not on Kaggle as far as this program knows; write one of {', '.join(KAGGLE)}.")
    command = shutil.which("kaggle")
    if command is None:
        raise DataError("The command kaggle is missing; pip install kaggle, your key in ~/.kaggle/kaggle.json.")
    address, place = KAGGLE[name]
    unfinished = folder / f".{place}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        done = subprocess.run(
            [command, "datasets", "download", address, "--path", str(unfinished), "--unzip"],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            raise DataError(f"Kaggle did not give {address} ({said[-1][:200]}); is your key in ~/.kaggle/kaggle.json?")
        if (folder / place).exists():
            raise DataError(f"{folder / place}: is there already; remove it to download it again.")
        unfinished.replace(folder / place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return f"{address} -> {folder / place}"
