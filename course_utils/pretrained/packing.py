"""The files of pretrained weights: arrays in NumPy's own format, never pickle, with their checksums in the card."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent


def read_card(name: str) -> dict:
    """The card of one set of weights, as it lies beside them."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def read(file: str, checksum: str) -> list[np.ndarray]:
    """The arrays of a file, in their order, as float32.

    Raises:
        OSError: when it is missing.
        ValueError: when it is not what was shipped.
    """
    again = "Install the course again: pip install --force-reinstall --no-deps, from where you have it."
    path = FOLDER / file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OSError(f"pretrained: {file} cannot be read ({error.strerror}). {again}") from error
    if hashlib.sha256(content).hexdigest() != checksum:
        raise ValueError(f"pretrained: {file} is damaged: its checksum is not the one on its card. {again}")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return [arrays[name].astype(np.float32) for name in sorted(arrays.files)]


def write(file: str, arrays: list[np.ndarray]) -> str:
    """Write arrays in half precision, vectors in float32; returns the checksum for the card.

    The vectors are biases and the averages of batch normalisation: few numbers, some of them beyond the range of 16
    bits.

    Raises:
        ValueError: for a number that 16 bits cannot hold.
    """
    kept = {}
    for number, array in enumerate(arrays):
        array = np.asarray(array, np.float32)
        with np.errstate(over="ignore"):  # it is looked for below
            kept[f"{number:03d}"] = array.astype(np.float16) if array.ndim > 1 else array
        if not np.isfinite(kept[f"{number:03d}"]).all():
            raise ValueError(f"{file}: array {number} of shape {array.shape} has numbers that 16 bits cannot hold.")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **kept)
    (FOLDER / file).write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()
