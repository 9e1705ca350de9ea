"""Sets of drawn images with their labels or factors.

Garments and digits follow Fashion-MNIST and MNIST in shape, type, class order and the room they fill; avatars follow
the Cartoon Set in spirit and in the names of the factors. All vary enough to be worth learning.
"""

from collections.abc import Mapping

import numpy as np

from course_utils.drawn import avatar_parts
from course_utils.drawn.digit_strokes import digit
from course_utils.drawn.garment_shapes import SIDE, garment

# fmt: off
GARMENTS = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DIGITS = tuple("0123456789")
# fmt: on
# What an avatar follows from: for each factor the names of its categories; its value is an index into them. The factors
# are named like the Cartoon Set's attributes; the categories, their number and their artwork are our own.
AVATAR_FACTORS: dict[str, tuple[str, ...]] = avatar_parts.FACTORS
# Which of them are artwork (10), colour (4) and proportion (4).
AVATAR_KINDS: dict[str, tuple[str, ...]] = avatar_parts.KINDS


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


def avatars(number: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Cartoon avatars, heads and shoulders, whose factors are random: see ``avatar_factors``.

    Nothing else varies: no position, size or tilt. An image is ``avatar`` of its factors, to the pixel.

    Returns:
        Images, uint8 ``(number, 256, 256, 3)`` with background 255; factors, each uint8 ``(number,)``.

    Raises:
        ValueError: for less than one image.
    """
    factors = avatar_factors(number, rng)
    images = np.empty((number, avatar_parts.SIDE, avatar_parts.SIDE, 3), np.uint8)
    for i in range(number):
        images[i] = avatar_parts.picture({name: values[i] for name, values in factors.items()})
    return images, factors


def avatar_factors(number: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The factors of ``avatars``, without the images.

    They are independent of each other and uniform over their categories, with two exceptions: ``glasses`` and
    ``facial_hair`` are "none" half of the time, and uniform over the others else.

    Returns:
        For each name in ``AVATAR_FACTORS`` an index of its categories, uint8 ``(number,)``.

    Raises:
        ValueError: for less than one avatar.
    """
    _at_least_one(number)
    factors = {}
    for name, categories in AVATAR_FACTORS.items():
        often_absent = name in avatar_parts.OFTEN_ABSENT
        values = rng.integers(int(often_absent), len(categories), number, dtype=np.uint8)
        factors[name] = np.where(rng.random(number) < 0.5, np.uint8(0), values) if often_absent else values
    return factors


def avatar(factors: Mapping[str, int]) -> np.ndarray:
    """The avatar of these factors, so that one of them can be changed while the others stay.

    Returns:
        One image, uint8 ``(256, 256, 3)`` with background 255.

    Raises:
        ValueError: for a name that is missing or not in ``AVATAR_FACTORS``, and for an index without a category.
    """
    if odd := set(AVATAR_FACTORS) ^ set(factors):
        raise ValueError(
            f"An avatar needs every name in AVATAR_FACTORS and no other; missing or unknown: {sorted(odd)}."
        )
    for name, index in factors.items():
        if not 0 <= index < len(AVATAR_FACTORS[name]):
            raise ValueError(f"{name} has the categories 0 to {len(AVATAR_FACTORS[name]) - 1}, not {index}.")
    return avatar_parts.picture(factors)


def _labels(number: int, rng: np.random.Generator) -> np.ndarray:
    _at_least_one(number)
    return rng.integers(0, 10, number, dtype=np.uint8)


def _at_least_one(number: int) -> None:
    if number < 1:
        raise ValueError(f"{number} images were asked for; ask for one at least.")
