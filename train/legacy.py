"""Files of Keras 2 that Keras 3 refuses, made into files that it reads."""

from __future__ import annotations

import inspect
import json
import shutil
import tempfile
from pathlib import Path

import h5py
import keras

from train.data import DataError
from train.files import whole


def convert(old: Path, new: Path) -> str:
    """Write the net of an .h5 or .hdf5 file of Keras 2 as .keras; one line says what it is. DataError if it cannot be.

    Keras 2.9 wrote into every layer the settings of its parent class, which the layer never had: Keras 3 takes each for
    a mistake. They are left out by the signature of the layer's own class, so weights and answers stay what they were.
    """
    if new.suffix != ".keras":
        raise DataError(f"{new}: is no name for a Keras file; end it in .keras.")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "cleaned.h5"
        try:
            shutil.copyfile(old, copy)
            copy.chmod(0o600)
            with h5py.File(copy, "r+") as file:
                config = json.loads(file.attrs["model_config"])
                left_out = _clean(config)
                file.attrs["model_config"] = json.dumps(config)
            model = keras.saving.load_model(copy, compile=False)
        except (OSError, KeyError, ValueError, TypeError) as error:
            reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise DataError(
                f"{old}: cannot be converted ({reason[:200]}); load it with the package tf_keras."
            ) from error
    new.parent.mkdir(parents=True, exist_ok=True)
    with whole(new) as unfinished:
        model.save(unfinished)
    shape = " x ".join(str(side) for side in model.input_shape[1:])
    return f"{new}: {model.count_params():,} parameters, takes {shape}, {left_out} settings left out"


def _clean(config: object) -> int:
    """Remove from every layer's settings those that its class does not know; return how many."""
    if isinstance(config, list):
        return sum(map(_clean, config))
    if not isinstance(config, dict):
        return 0
    removed = 0
    layer = getattr(keras.layers, str(config.get("class_name")), None)
    settings = config.get("config")
    if layer is not None and isinstance(settings, dict):
        known = set(inspect.signature(layer.__init__).parameters) | {"name", "dtype", "trainable"}
        known |= {"batch_input_shape", "batch_shape", "layers", "input_layers", "output_layers"}
        for name in sorted(set(settings) - known):
            del settings[name]
            removed += 1
    return removed + sum(map(_clean, list(config.values())))
