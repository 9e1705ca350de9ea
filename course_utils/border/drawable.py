"""What can be drawn: the border that arrays and numbers cross on their way into a figure or a film.

Each function hands back what it was given, ready to draw, or raises a ValueError that says what came and what to do.
"""

import operator
from collections.abc import Mapping

import numpy as np


def pixels(values, what: str) -> np.ndarray:
    """Values as an array of uint8 or floats in [0, 1].

    Args:
        values: uint8 from 0 to 255, booleans, or floats in [0, 1]; any shape.
        what: names them in errors, for instance ``"mosaic: images"``.
    """
    values = _array(values, what)
    if values.size == 0:
        raise ValueError(f"{what}: there are none, the shape is {values.shape}. Did a selection leave nothing over?")
    if values.dtype == np.uint8:
        return values
    if values.dtype == bool or _is_unusual_float(values):
        values = values.astype(np.float32)
    if values.dtype.kind != "f":
        raise ValueError(
            f"{what}: the type is {values.dtype}. Pixels are uint8 from 0 to 255, or floats in [0, 1]: "
            "bytes in another type become pixels by .astype(np.uint8)."
        )
    _refuse_lost(values, what)
    low, high = values.min(), values.max()
    if low < -1e-4 or high > 1 + 1e-4:  # less is a rounding error
        raise ValueError(
            f"{what}: values run from {low:.4g} to {high:.4g}, and floats have to lie in [0, 1]. Divide bytes by 255, "
            "put logits through a sigmoid, clip noise with np.clip(images, 0, 1)."
        )
    return values if 0 <= low and high <= 1 else np.clip(values, 0, 1)


def to_bytes(values: np.ndarray) -> np.ndarray:
    """What ``pixels`` handed back as uint8, with 255 for 1."""
    return values if values.dtype == np.uint8 else np.rint(255 * values).astype(np.uint8)


def images(values, what: str) -> np.ndarray:
    """Pixels in the shape ``(number, height, width, channels)``, with 1, 3 or 4 channels and at least one image."""
    values = pixels(values, what)
    if values.ndim != 4:
        raise ValueError(
            f"{what}: the shape is {values.shape}; (number, height, width, channels) is needed. images[..., None] "
            "adds the axis of a single channel, and image[None] makes a set of one image."
        )
    if values.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"{what}: the shape is {values.shape}, so {values.shape[-1]} channels. One (grey), three (colour) or four "
            "(colour and opacity) can be drawn, and they stand on the last axis."
        )
    return values


def numbers(values, what: str) -> np.ndarray:
    """Real, finite numbers of any shape, at least one."""
    values = real(values, what)
    _refuse_lost(values, what)
    return values


def real(values, what: str) -> np.ndarray:
    """Real numbers of any shape, at least one; NaN and infinity may be among them."""
    values = _array(values, what)
    if values.dtype == bool or _is_unusual_float(values):
        values = values.astype(np.float32)
    if values.dtype.kind not in "iuf":
        raise ValueError(f"{what}: the type is {values.dtype}, and numbers are needed.")
    if values.size == 0:
        raise ValueError(f"{what}: there are none, the shape is {values.shape}.")
    return values


def named(values, what: str) -> Mapping:
    """A dictionary with at least one entry."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{what}: a {type(values).__name__} came. A dictionary from names to values is needed.")
    if not values:
        raise ValueError(f"{what}: the dictionary is empty, there is nothing to draw.")
    return values


def whole(value, what: str, least: int, most: int | None = None) -> int:
    """A whole number between two bounds, both included."""
    try:
        number = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least or (most is not None and number > most):
        bounds = f"of at least {least}" if most is None else f"from {least:,} to {most:,}"
        raise ValueError(f"{what} is {value!r}; a whole number {bounds} is needed.")
    return number


def positive(value, what: str) -> float:
    """A finite number above zero."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not 0 < number < np.inf:
        raise ValueError(f"{what} is {value!r}; a number above 0 is needed.")
    return number


def _array(values, what: str) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError:  # NumPy's words for lists of unequal lengths
        raise ValueError(f"{what}: parts differ in shape, and one shape for all is needed.") from None


def _is_unusual_float(values: np.ndarray) -> bool:
    """float16, bfloat16 and the like, which NumPy and matplotlib know in part only."""
    return values.dtype.name in ("float16", "bfloat16", "longdouble", "float128")


def _refuse_lost(values: np.ndarray, what: str) -> None:
    lost = values.size - np.count_nonzero(np.isfinite(values))
    if lost:
        raise ValueError(
            f"{what}: {lost:,} of {values.size:,} numbers are NaN or infinite. Where a model made them, its training "
            "diverged: train again with a lower learning rate."
        )
