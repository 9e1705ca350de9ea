"""What the card of the avatars says: how good, by which measure, and what each part of the training bought."""

from pathlib import Path

import numpy as np
from sklearn.mixture import GaussianMixture

from course_utils import data, metrics, runtime
from course_utils.pretrained import loading, packing

LEADING, PARTS = 40, 12


def encoded(vae, images) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations of q(z|x)."""
    parts = [vae.encoder(data.to_float(images[i : i + 50])) for i in range(0, len(images), 50)]
    return np.concatenate([part.mean() for part in parts]), np.concatenate([part.stddev() for part in parts])


def features(pictures, side: int) -> np.ndarray:
    """Pixels shrunk to ``side`` by the mean over squares, a row for each picture."""
    pictures, size = np.asarray(pictures), 256 // side
    if pictures.dtype == np.uint8:
        pictures = data.to_float(pictures)
    return pictures.reshape(len(pictures), side, size, side, size, 3).mean(axis=(2, 4)).reshape(len(pictures), -1)


def in_parts(function, inputs) -> np.ndarray:
    return np.concatenate([function(inputs[i : i + 50]) for i in range(0, len(inputs), 50)])


def draws(mean, sd, density: str, number: int) -> np.ndarray:
    """Codes from N(0, I), from a Gaussian fitted to the codes, or from a mixture fitted in their leading directions."""
    rng = np.random.default_rng(runtime.SEED)
    normal = rng.standard_normal((number, mean.shape[1]))
    if density == "N(0, I)":
        return normal.astype(np.float32)
    samples = mean + sd * rng.standard_normal(mean.shape)
    variances, directions = np.linalg.eigh(np.cov(mean.T) + np.diag(np.mean(sd**2, axis=0)))
    variances, directions = variances[::-1], directions[:, ::-1]
    along = normal * np.sqrt(variances)
    if density == "mixture":
        fitted = GaussianMixture(PARTS, random_state=0, reg_covar=1e-3, max_iter=300)
        fitted.fit((samples - mean.mean(axis=0)) @ directions[:, :LEADING])
        along[:, :LEADING] = fitted.sample(number)[0]
    return (mean.mean(axis=0) + along @ directions.T).astype(np.float32)


def pca_psnr(train, held_out, number: int = 200) -> float:
    """Decibels of held-out images, projected on the principal components of the training images."""
    rows = np.asarray(train[:]).reshape(len(train), -1)
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32) / 255
    inner, blocks = 0, [slice(i, i + 8192) for i in range(0, rows.shape[1], 8192)]
    for block in blocks:
        part = rows[:, block].astype(np.float32) / 255 - mean[block]
        inner = inner + part @ part.T
    values, vectors = np.linalg.eigh(inner.astype(np.float64))
    weights = (vectors[:, -number:] / np.sqrt(values[-number:])).astype(np.float32).T
    directions = [weights @ (rows[:, block].astype(np.float32) / 255 - mean[block]) for block in blocks]
    directions = np.concatenate(directions, axis=1)
    scores = (held_out.reshape(len(held_out), -1) - mean) @ directions.T
    return metrics.psnr((mean + scores @ directions).reshape(held_out.shape), held_out)


def judge_avatars(vae, images, along: Path) -> dict:
    """Figures on the held-out avatars; writes the codes of all of them as a file beside the weights."""
    train, test = images.train_images, images.test_images
    large = in_parts(lambda part: features(part, 32), train)
    centre = large.mean(axis=0)
    components = np.linalg.svd(large - centre, full_matrices=False)[2][:30]
    held_out, small_test = data.to_float(test[:]), features(test[:], 16)
    reference = (features(held_out, 32) - centre) @ components.T

    def apart(pictures) -> list[float]:
        """From the held-out avatars, as many as these: by the lesson's features, and on thumbnails of 16x16 pixels."""
        by_lesson = metrics.frechet_distance((features(pictures, 32) - centre) @ components.T, reference)
        return [round(by_lesson, 2), round(metrics.frechet_distance(features(pictures, 16), small_test), 2)]

    def figures(model, densities) -> tuple[dict, tuple]:
        codes, test_codes = encoded(model, train), encoded(model, test)

        def decode(z):
            return in_parts(lambda part: model.decoder(part).mean().numpy(), z)

        result = {"psnr": round(metrics.psnr(decode(test_codes[0]), held_out), 2)}
        result |= {density: apart(decode(draws(*codes, density, len(test)))) for density in densities}
        return result, (codes, test_codes)

    result, (codes, test_codes) = figures(vae, ("N(0, I)", "Gaussian", "mixture"))
    result["PCA"] = round(pca_psnr(train, held_out), 2)
    result["training avatars"] = apart(data.to_float(train[: len(test)]))
    names = list(images.attributes)
    tables = [
        np.stack([images.attributes[name][rows] for name in names], axis=1) for rows in (images.train, images.test)
    ]
    arrays = [*codes, *test_codes, centre, components, (large - centre) @ components.T, reference, *tables]
    history = []
    for path in sorted(along.glob("*.weights.h5")):
        earlier = loading.build("avatars")
        earlier.load_weights(path)
        history.append({"epoch": int(path.name.split(".")[0])} | figures(earlier, ("Gaussian", "mixture"))[0])
        print(history[-1], flush=True)
    return {
        "held-out": {"images": len(test)} | result,
        "history": history,
        "attributes": {name: list(images.categories[name]) for name in names},
        "codes": ["avatars-codes.npz", packing.write("avatars-codes.npz", arrays)],
    }
