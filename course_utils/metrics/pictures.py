"""Pictures beside pictures: the closest one of a set, and decibels. Taught in lesson 01."""

import numpy as np


def nearest_distance(images: np.ndarray, reference: np.ndarray, chunk: int = 500) -> np.ndarray:
    """How far each image is from the closest one of a reference set.

    Args:
        images: shape ``(number, height, width, channels)``, floats in [0, 1].
        reference: the same, another number.

    Returns:
        Root mean square difference of a pixel, in pixel units (0 is a copy, 1 the negative), shape ``(number,)``.

    Raises:
        ValueError: when the two sets hold images of different shapes, or one is empty.
    """
    images, reference = np.asarray(images, np.float32), np.asarray(reference, np.float32)
    if len(images) == 0 or len(reference) == 0 or images.shape[1:] != reference.shape[1:]:
        raise ValueError(f"nearest_distance: cannot compare images {images.shape} with {reference.shape}.")
    images, reference = images.reshape(len(images), -1), reference.reshape(len(reference), -1)
    squares = np.einsum("ij,ij->i", reference, reference)
    nearest = []
    for first in range(0, len(images), chunk):
        part = images[first : first + chunk]
        distance = np.einsum("ij,ij->i", part, part)[:, None] + squares - 2 * part @ reference.T
        nearest.append(np.maximum(distance.min(axis=1), 0))  # rounding can leave a copy a hair below zero
    return np.sqrt(np.concatenate(nearest) / images.shape[1])


def psnr(images: np.ndarray, originals: np.ndarray) -> float:
    """Peak signal-to-noise ratio of images in [0, 1], in decibels: -10 log10 of the mean squared error.

    Raises:
        ValueError: for different shapes.
    """
    images, originals = np.asarray(images, np.float64), np.asarray(originals, np.float64)
    if images.shape != originals.shape:
        raise ValueError(f"psnr: images {images.shape} and originals {originals.shape} differ in shape.")
    error = np.mean((images - originals) ** 2)
    return float("inf") if error == 0 else float(-10 * np.log10(error))
