"""How far each known factor of the images has a latent dimension of its own."""

import numpy as np


def mutual_information_gap(codes: np.ndarray, factors: np.ndarray, bins: int = 20) -> np.ndarray:
    """For each factor, by how much the dimension that tells most of it is ahead of the second one.

    (I_first - I_second) / H(factor): 1 where one dimension tells all of a factor and the others nothing, 0 where two
    tell as much (Chen et al. 2018). As disentanglement_lib defines it: codes are posterior means, each dimension is cut
    into ``bins`` intervals of equal width between its smallest and its largest value, mutual information is that of the
    counts, and the score is the mean over the factors, at 10,000 images and 20 bins. Counts make mutual information too
    large, and the more so the fewer images there are, for both dimensions; the gap of a random code is close to 0, and
    never below.

    Args:
        codes: posterior means, shape ``(number, latent_dim)``.
        factors: whole numbers, shape ``(number, factors)``; of drawn avatars
            ``np.stack(list(factors.values()), axis=1)``.

    Returns:
        From 0 to 1, shape ``(factors,)``; the score is its mean.

    Raises:
        ValueError: for other shapes, one latent dimension, factors that are no whole numbers or never change, codes
            that are not finite, and fewer than two bins.
    """
    codes, factors = np.asarray(codes, np.float64), np.asarray(factors)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or codes.shape[1] < 2:
        raise ValueError(
            f"mutual_information_gap: codes {codes.shape} and factors {factors.shape}, expected (number, latent_dim), "
            "two dimensions or more, and (number, factors) of the same images."
        )
    if not isinstance(bins, int | np.integer) or bins < 2:
        raise ValueError(f"mutual_information_gap: bins={bins!r} must be a whole number of 2 or more.")
    if not np.isfinite(codes).all():
        raise ValueError("mutual_information_gap: codes that are NaN or infinite.")
    if not (np.issubdtype(factors.dtype, np.integer) or factors.dtype == bool):
        raise ValueError(
            f"mutual_information_gap: factors of type {factors.dtype}, where whole numbers belong, one for each value. "
            "A continuous factor becomes one by np.digitize."
        )
    constant = [j for j in range(factors.shape[1]) if len(np.unique(factors[:, j])) < 2]
    if constant or not factors.shape[1]:
        raise ValueError(
            f"mutual_information_gap: factors that have one value in all images: {constant}. Leave these columns out."
        )
    from sklearn.metrics import mutual_info_score  # here: it takes a second to load

    cut = np.stack([_cut(codes[:, j], bins) for j in range(codes.shape[1])], axis=1)
    gaps = []
    for factor in factors.T:
        second, first = np.sort([mutual_info_score(factor, dimension) for dimension in cut.T])[-2:]
        gaps.append((first - second) / mutual_info_score(factor, factor))  # with itself: the entropy
    return np.array(gaps)


def _cut(values: np.ndarray, bins: int) -> np.ndarray:
    return np.digitize(values, np.histogram_bin_edges(values, bins)[:-1])
