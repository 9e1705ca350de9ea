"""Where the avatars lie in the latent space of the pretrained VAE, without their images."""

from typing import NamedTuple

import numpy as np

from course_utils.pretrained import packing


class AvatarCodes(NamedTuple):
    """Posteriors of the avatars, and the features by which lesson 06 compares sets of pictures.

    Attributes:
        train_mean, train_sd, test_mean, test_sd: of q(z|x), shape ``(number, 200)``; test avatars were held out.
        centre, components: 32x32 RGB pixels in [0, 1] as a row ``x`` become features ``(x - centre) @ components.T``:
            shapes ``(3072,)`` and ``(30, 3072)``, mean and leading principal components of the training avatars.
        train_features, test_features: of the avatars themselves, shape ``(number, 30)``.
        train_labels, test_labels: an integer array for each attribute, shape ``(number,)``, -1 where there is none.
        categories: for each attribute the names of its values.
    """

    train_mean: np.ndarray
    train_sd: np.ndarray
    test_mean: np.ndarray
    test_sd: np.ndarray
    centre: np.ndarray
    components: np.ndarray
    train_features: np.ndarray
    test_features: np.ndarray
    train_labels: dict[str, np.ndarray]
    test_labels: dict[str, np.ndarray]
    categories: dict[str, tuple[str, ...]]


def codes() -> AvatarCodes:
    """The codes of the avatars under ``pretrained.load("avatars")``: what lesson 06 works with, offline too.

    Raises:
        ValueError: for a damaged file.
        OSError: for a missing one.
    """
    said = packing.read_card("avatars")
    arrays = packing.read(*said["files"]["codes"])
    labels = {name: tuple(values) for name, values in said["attributes"].items()}
    tables = [dict(zip(labels, table.astype(int).T, strict=True)) for table in arrays[8:10]]
    return AvatarCodes(*arrays[:8], *tables, labels)
