"""What stands in a Keras file, read without loading the model: its layers, and which Keras wrote it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .card import Card
from .fields import CardError

LARGEST_UNCHECKED = 50_000_000  # bytes: a net of zeros may be packed as well as it likes up to there
MOST_TIMES = 4


@dataclass(frozen=True, slots=True)
class Stored:
    """The description of a model in a Keras file."""

    config: dict  # layers and their settings, nested
    keras_version: str  # "2.9.0"; "unknown" where the file does not say


def inspect(card: Card) -> Stored:
    """Read the description of a .keras, .h5 or .hdf5 file; CardError if it is none, or would run code unasked."""
    try:
        stored = _of_zip(card.file) if card.file.suffix.lower() == ".keras" else _of_hdf5(card.file)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, RecursionError) as error:
        raise CardError(
            f"{card.path}: {card.file} is not a Keras model or is damaged ({_first_line(error)}); put the right file"
            " there."
        ) from error
    if stored is None:
        raise CardError(
            f"{card.path}: {card.file} holds weights without their net; save the whole model, with model.save."
        )
    if _has_lambda(stored.config) and not card.runs_code:
        raise CardError(
            f"{card.path}: {card.file} has a Lambda layer, program code that would run here; write the layer without"
            " Lambda, export the model as .tflite, or, if the file is your own, write runs_code: true."
        )
    return stored


def refusal(card: Card, stored: Stored, keras_version: str, error: Exception) -> CardError:
    """Why Keras could not load the file, and what to do."""
    if stored.keras_version.startswith(("1.", "2.")):
        return CardError(
            f"{card.path}: {card.file} was saved by Keras {stored.keras_version}, and Keras {keras_version} cannot read"
            f" it ({_first_line(error)}); load it with the package tf_keras, and name the folder that"
            " model.export writes."
        )
    return CardError(
        f"{card.path}: {card.file} cannot be loaded by Keras {keras_version} ({_first_line(error)}); save it again with"
        " this version, or export it as .tflite."
    )


def _of_zip(path: Path) -> Stored:
    with zipfile.ZipFile(path) as archive:
        _refuse_bomb(path, sum(member.file_size for member in archive.infolist()))
        config = json.loads(archive.read("config.json"))
        version = json.loads(archive.read("metadata.json")).get("keras_version", "unknown")
    return Stored(config, str(version))


def _of_hdf5(path: Path) -> Stored | None:
    import h5py

    with h5py.File(path, "r") as file:
        sizes: list[int] = []
        file.visititems(lambda _, found: sizes.append(found.nbytes) if isinstance(found, h5py.Dataset) else None)
        _refuse_bomb(path, sum(sizes))
        if "model_config" not in file.attrs:
            return None
        return Stored(json.loads(_text(file.attrs["model_config"])), _text(file.attrs.get("keras_version", "unknown")))


def _refuse_bomb(path: Path, unpacked: int) -> None:
    """Raise `ValueError` for a file that packs much more into itself than weights, which hardly compress, can be."""
    packed = path.stat().st_size
    if unpacked > LARGEST_UNCHECKED + MOST_TIMES * packed:
        raise ValueError(f"its {packed / 1e6:.1f} MB would unpack to {unpacked / 1e6:,.0f} MB")


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _has_lambda(config: object) -> bool:
    if isinstance(config, dict):
        is_lambda = "Lambda" in (config.get("class_name"), config.get("registered_name"))
        return is_lambda or config.get("class_name") == "__lambda__" or any(map(_has_lambda, config.values()))
    return isinstance(config, list) and any(map(_has_lambda, config))


def _first_line(error: Exception) -> str:
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line if len(line) <= 200 else line[:197] + "..."
