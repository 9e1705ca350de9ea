"""Images drawn in code, for whoever has neither a network nor the data: garments and digits, 28x28, ten classes each.

They follow Fashion-MNIST and MNIST in shape, type, class order and the room they fill, and they vary enough to be worth
learning. They are not those sets: every figure made from them says so (``plots.label_source``).
"""

import numpy as np

from course_utils._drawn_digits import digit
from course_utils._drawn_garments import SIDE, garment

# fmt: off
GARMENTS = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DIGITS = tuple("0123456789")
# fmt: on


def garments(number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Garments of random classes.

    Returns:
        Images, uint8 ``(number, 28, 28, 1)`` with background 0; labels, uint8 ``(number,)``, as in ``GARMENTS``.

    Raises:
        ValueError: for less than one image.
    """
    labels = _labels(number, rng)
    shapes = np.stack([garment(label, rng) for label in labels])
    # Cloth: one brightness a garment, light from one side, now and then stripes or a print, and a little noise.
    across = np.linspace(-1, 1, SIDE)
    shade = (
        1
        + rng.uniform(-0.18, 0.18, (number, 1, 1)) * across
        + rng.uniform(-0.15, 0.15, (number, 1, 1)) * across[:, None]
    )
    phase, period = rng.uniform(0, 6, (number, 1, 1)), rng.uniform(3, 7, (number, 1, 1))
    wave = np.sin(2 * np.pi * np.arange(SIDE) / period + phase)
    upright = rng.random((number, 1, 1)) < 0.5
    wave = np.where(upright, wave, wave.transpose(0, 2, 1))
    striped = (rng.random((number, 1, 1)) < 0.2) * rng.uniform(0.1, 0.35, (number, 1, 1))
    brightness = np.where(
        rng.random((number, 1, 1)) < 0.85, rng.uniform(165, 250, (number, 1, 1)), rng.uniform(60, 150, (number, 1, 1))
    )
    noise = 1 + 0.06 * rng.standard_normal((number, SIDE, SIDE))
    pixels = shapes * brightness * shade * (1 - striped * (1 + wave) / 2) * noise
    return np.clip(pixels, 0, 255).astype(np.uint8)[..., None], labels


def digits(number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Handwritten-looking digits of random classes, in a box of 20x20 pixels around the centre.

    Returns:
        Images, uint8 ``(number, 28, 28, 1)`` with background 0; labels, uint8 ``(number,)``.

    Raises:
        ValueError: for less than one image.
    """
    labels = _labels(number, rng)
    return np.stack([digit(int(label), rng) for label in labels])[..., None], labels


def _labels(number: int, rng: np.random.Generator) -> np.ndarray:
    if number < 1:
        raise ValueError(f"{number} images were asked for; ask for one at least.")
    return rng.integers(0, 10, number, dtype=np.uint8)
