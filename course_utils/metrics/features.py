"""Two sets of features, of data and of draws: how far apart they are, and how much of each the other one covers."""

from typing import NamedTuple

import numpy as np


class PrecisionRecall(NamedTuple):
    """Shares from 0 to 1: of draws that look like data, and of data that the draws reach."""

    precision: float
    recall: float


def frechet_distance(features: np.ndarray, others: np.ndarray) -> float:
    """How far apart two sets of features are, each taken for a Gaussian of its own mean and covariance.

    |m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2)), the squared 2-Wasserstein distance of the two Gaussians (Dowson and
    Landau 1982). With the features of an Inception network it is the FID of Heusel et al. 2017; lesson 06 uses
    principal components.

    Args:
        features, others: shape ``(number, dimensions)``; two numbers may differ.

    Returns:
        In squared units of the features; 0 for equal means and covariances.

    Raises:
        ValueError: for different dimensions, or fewer than two points in a set.
    """
    features, others = np.asarray(features, np.float64), np.asarray(others, np.float64)
    if features.ndim != 2 or others.ndim != 2 or features.shape[1] != others.shape[1]:
        raise ValueError(f"frechet_distance: cannot compare features {features.shape} with {others.shape}.")
    if min(len(features), len(others)) < 2:
        raise ValueError("frechet_distance: a covariance needs two points or more in each set.")
    first, second = np.atleast_2d(np.cov(features.T)), np.atleast_2d(np.cov(others.T))
    # The product of two covariances has real eigenvalues of 0 or more; rounding adds a hair to either part.
    overlap = np.sqrt(np.maximum(np.linalg.eigvals(first @ second).real, 0)).sum()
    shift = features.mean(axis=0) - others.mean(axis=0)
    return float(shift @ shift + np.trace(first) + np.trace(second) - 2 * overlap)


def precision_and_recall(features: np.ndarray, generated: np.ndarray, neighbours: int = 3) -> PrecisionRecall:
    """How many draws lie where data are, and how much of the data lies where draws are.

    Around each point of a set goes a ball that reaches to its nearest neighbours in the set; their union stands for
    where the set is. Precision is the share of draws in the union of the data's balls, recall the share of data in the
    union of the draws' balls (Kynkaanniemi et al. 2019). One outlier makes one large ball, and with it either figure
    too good. Both depend on the features and on the numbers of points: compare them at equal ones.

    Args:
        features: of data, shape ``(number, dimensions)``; images become rows by ``images.reshape(len(images), -1)``.
        generated: of draws, the same, perhaps another number.
        neighbours: to which neighbour a ball reaches, without the point itself; 3 in the paper.

    Raises:
        ValueError: for different dimensions, numbers that are not finite, a set that has not more points than
            ``neighbours``, and fewer than 1 of these.
    """
    features, generated = np.asarray(features, np.float64), np.asarray(generated, np.float64)
    if features.ndim != 2 or generated.ndim != 2 or features.shape[1] != generated.shape[1]:
        raise ValueError(
            f"precision_and_recall: cannot compare features {features.shape} with {generated.shape}; both are "
            "(number, dimensions). Images become rows by images.reshape(len(images), -1)."
        )
    if not isinstance(neighbours, int | np.integer) or neighbours < 1:
        raise ValueError(f"precision_and_recall: neighbours={neighbours!r} must be a whole number of 1 or more.")
    if min(len(features), len(generated)) <= neighbours:
        raise ValueError(
            f"precision_and_recall: {len(features)} and {len(generated)} points, and each set needs more than "
            f"neighbours={neighbours}."
        )
    if not (np.isfinite(features).all() and np.isfinite(generated).all()):
        raise ValueError("precision_and_recall: features that are NaN or infinite. Leave these points out.")
    centre = features.mean(axis=0)  # distances stay, and lose fewer digits
    features, generated = features - centre, generated - centre
    return PrecisionRecall(_covered(generated, features, neighbours), _covered(features, generated, neighbours))


def _covered(points: np.ndarray, others: np.ndarray, neighbours: int) -> float:
    """The share of points that lie in a ball of the others."""
    from sklearn.metrics import pairwise_distances_chunked  # here: it takes a second to load
    from sklearn.neighbors import NearestNeighbors

    radii = NearestNeighbors(n_neighbors=neighbours).fit(others).kneighbors()[0][:, -1]
    radii += 1e-6 * np.sqrt(np.mean(others**2) * others.shape[1])  # a copy is at distance zero but for rounding
    covered = pairwise_distances_chunked(
        points, others, reduce_func=lambda distances, start: (distances <= radii).any(axis=1), working_memory=256
    )
    return float(np.concatenate(list(covered)).mean())
