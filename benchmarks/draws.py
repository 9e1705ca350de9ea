"""Draws of the avatar model by what they are drawn from: their Fréchet distance, with its error, and how near they are
to training avatars.

    python benchmarks/draws.py      a few minutes on two cores, offline: weights and codes come with the course

The densities are those of lesson 06. Every set has as many pictures as there are training avatars in whole groups of
the held-out set, and training avatars themselves are one of the sets.
"""

import numpy as np
import tensorflow as tf
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from course_utils import metrics, pretrained, runtime

LEADING, PARTS, WIDTHS, RESAMPLES = 40, 8, (0.8, 0.7, 0.6, 0.5, 0.4), 200


def codes_of(known, number: int, rng) -> dict[str, np.ndarray]:
    """Codes from each density, (number, latent_dim)."""
    mean, sd = known.train_mean, known.train_sd
    centre, latent_dim = mean.mean(axis=0), mean.shape[1]
    variances, axes = (part[..., ::-1] for part in np.linalg.eigh(np.cov(mean.T) + np.diag(np.mean(sd**2, axis=0))))
    white = (mean + sd * rng.standard_normal(mean.shape) - centre) @ axes / np.sqrt(variances)
    with threadpool_limits(1):
        mixture = GaussianMixture(PARTS, random_state=runtime.SEED, reg_covar=1e-3).fit(white[:, :LEADING])
    noise = rng.standard_normal((number, latent_dim))
    mixed = np.concatenate([rng.permutation(mixture.sample(number)[0]), noise[:, LEADING:]], axis=1)
    picked = white[rng.integers(len(white), size=number)]
    sets = {"fitted Gaussian": noise, f"mixture of {PARTS} in {LEADING} directions": mixed}
    for width in WIDTHS:
        sets[f"aggregate posterior, smoothed by {width}"] = np.sqrt(1 - width**2) * picked + width * noise
    turned = {name: centre + codes @ (axes * np.sqrt(variances)).T for name, codes in sets.items()}
    return {"N(0, I)": rng.standard_normal((number, latent_dim))} | turned


def features(vae, known, codes) -> np.ndarray:
    """Of the decoded pictures at 32x32, along the components that lesson 06 measures in."""
    parts = []
    for first in range(0, len(codes), 50):
        pictures = vae.decoder(tf.cast(codes[first : first + 50], tf.float32)).mean().numpy()
        small = pictures.reshape(len(pictures), 32, 8, 32, 8, 3).mean(axis=(2, 4))
        parts.append((small.reshape(len(pictures), -1) - known.centre) @ known.components.T)
    return np.concatenate(parts)


def main() -> None:
    vae, known, rng = pretrained.load("avatars"), pretrained.codes(), np.random.default_rng(runtime.SEED)
    held_out = known.test_features
    number = len(known.train_features) // len(held_out) * len(held_out)
    sets = {"training avatars": known.train_features[:number]}
    sets |= {name: features(vae, known, codes) for name, codes in codes_of(known, number, rng).items()}

    def distance(points, rows):
        return metrics.frechet_distance(points[rows], held_out)

    closest = NearestNeighbors(n_neighbors=1).fit(known.train_features)
    gap = np.median(closest.kneighbors(features(vae, known, known.test_mean))[0])
    print(f"{number:,} pictures a set, {len(held_out)} held-out avatars; {RESAMPLES} resamples of the pictures")
    print("| draws from | distance of all | error | over training avatars | error | in groups | nearness |")
    print("|---|---|---|---|---|---|---|")
    resampled = {}
    for name, points in sets.items():
        whole = distance(points, slice(None))
        resampled[name] = np.array([distance(points, rng.integers(number, size=number)) for _ in range(RESAMPLES)])
        ratio = resampled[name] / resampled["training avatars"]
        over = whole / distance(sets["training avatars"], slice(None))
        groups = np.mean([distance(points, rng.permutation(number)[: len(held_out)]) for _ in range(RESAMPLES)])
        near = "" if name == "training avatars" else f"{np.median(closest.kneighbors(points)[0]) / gap:.2f}"
        row = f"{whole:.2f} | {resampled[name].std():.2f} | {over:.2f} | {ratio.std():.2f} | {groups:.2f} | {near}"
        print(f"| {name} | {row} |", flush=True)
    print(f"In groups: the mean of groups of {len(held_out)}. Nearness: the median distance to the closest training")
    print("avatar, over that of rebuilt held-out avatars.")


if __name__ == "__main__":
    main()
