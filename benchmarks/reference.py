"""The reference table: what VAEs of the course reach on MNIST and Fashion-MNIST, in nats per image.

    python benchmarks/reference.py                                all that is missing: some seven hours on two cores
    python benchmarks/reference.py --rows fashion-static-dense-2  one row, or several by name
    python benchmarks/reference.py --rows ... --results build/mine.jsonl    again, into another file

Every result is stored as soon as it is there, one line for a row and a seed, and the page beside it, reference.md, is
written anew. A run that was cut off goes on behind the last stored line.
"""

import argparse
import functools
import json
import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import reference_page
import tensorflow as tf
import tf_keras as keras

from course_utils import data, metrics, models, networks, runtime, training
from course_utils.border import files

STORED = Path(__file__).with_name("reference.jsonl")
BATCH, SEEDS = 128, (0, 1, 2)
K, K_IMAGES, K_GROUPS, DRAWS = 5000, 100, 10, 10  # importance samples, on so many images; draws of z for the ELBO


class Row(NamedTuple):
    """A setting. ``pixels`` are "static", cut at 0.5; "stochastic", drawn anew in each epoch; or drawn "once"."""

    data: str
    pixels: str
    networks: str
    latent_dim: int
    epochs: int
    peak_rate: float


def rows() -> dict[str, Row]:
    """Every row by its name, the two-dimensional ones first, then those to be compared with published figures."""
    table = {}
    for latent_dim in (2, 10, 20, 50):
        for data_set in ("fashion", "mnist"):
            for pixels in ("static", "stochastic"):
                for kind, epochs, rate in (("dense", 20, 1e-3), ("conv", 6, 3e-3)):
                    name = f"{data_set}-{pixels}-{kind}-{latent_dim}"
                    table[name] = Row(data_set, pixels, kind, latent_dim, epochs, rate)
        if latent_dim == 2:
            for epochs in (25, 100):
                table[f"burda-{epochs}"] = Row("mnist", "stochastic", "burda", 50, epochs, 1e-3)
            table["pythae-50"] = Row("mnist", "once", "pythae", 16, 50, 1e-3)
    return table


def stack(latent_dim: int, units: tuple[int, ...], activation: str):
    """Dense networks of the papers: encoder to means and log variances, decoder to logits."""
    layers = keras.layers
    hidden = [layers.Dense(number, activation=activation) for number in units]
    encoder = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), *hidden, layers.Dense(2 * latent_dim)])
    hidden = [layers.Dense(number, activation=activation) for number in units]
    out = [layers.Dense(784), layers.Reshape((28, 28, 1))]
    return encoder, keras.Sequential([keras.Input((latent_dim,)), *hidden, *out])


NETWORKS = {
    "dense": networks.dense_vae_networks,
    "conv": networks.conv_vae_networks,
    "burda": lambda latent_dim: stack(latent_dim, (200, 200), "tanh"),
    "pythae": lambda latent_dim: stack(latent_dim, (400,), "relu"),
}


def drawn_once(images: np.ndarray, seed: int) -> np.ndarray:
    """Binary images whose pixels are 1 with the probability that their grey level names."""
    noise = np.random.default_rng(seed).random(images.shape, np.float32)
    return (noise < data.to_float(images)).astype(np.float32)


def training_batches(row: Row, images: np.ndarray, seed: int) -> tf.data.Dataset:
    """Batches of binary images in an order that is new in every epoch; stochastic ones with new draws as well."""
    options = {"seed": seed, "drop_remainder": True}
    if row.pixels == "static":
        return data.batches(images, BATCH, transform="binarise", **options)
    if row.pixels == "once":
        return data.batches(drawn_once(images, seed=1), BATCH, **options)
    # Random operations inside a map begin anew with every epoch, so that the draws would be the same ones each time.
    numbers = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
    pairs = tf.data.Dataset.zip((data.batches(images, BATCH, **options), numbers))
    return pairs.map(
        lambda grey, number: tf.cast(tf.random.stateless_uniform(tf.shape(grey), [seed, number]) < grey, tf.float32)
    )


def measure(vae: models.VAE, test_images: np.ndarray, k: int = K, k_images: int = K_IMAGES) -> dict:
    """The measured part of a line.

    The importance-weighted bound is expensive, and its distance to the ELBO varies far less from image to image than
    either of them. So the distance is measured on some images, in groups, and subtracted from the ELBO of all.
    """
    bound = metrics.rate_distortion(vae, test_images, samples=DRAWS)
    chosen = np.random.default_rng(0).choice(len(test_images), k_images, replace=False)
    distances = []
    for group in np.split(test_images[chosen], K_GROUPS):
        below = metrics.rate_distortion(vae, group, samples=100).negative_elbo.mean
        distances.append(below + metrics.importance_weighted_bound(vae, group, k).mean)
    return {
        "negative_elbo": bound.negative_elbo.mean,
        "rate": bound.rate.mean,
        "distortion": bound.distortion.mean,
        "active_units": metrics.active_units(vae, test_images),
        "negative_iwae": bound.negative_elbo.mean - float(np.mean(distances)),
        "negative_iwae_error": float(np.std(distances, ddof=1)) / K_GROUPS**0.5,
        "test_images": len(test_images),
        "draws": DRAWS,
        "k": k,
        "k_images": k_images,
    }


def run(name: str, seed: int, image_set: data.ImageSet, k: int = K, k_images: int = K_IMAGES) -> dict:
    """Train and measure one row with one seed: a line of the results."""
    row = rows()[name]
    runtime.set_seed(seed)
    test = image_set.test_images
    test = data.binarise(test) if row.pixels == "static" else drawn_once(test, seed=2)
    encoder, decoder = NETWORKS[row.networks](row.latent_dim)
    prior = models.standard_normal(row.latent_dim)
    vae = models.VAE(models.posterior_of(encoder), models.bernoulli_of(decoder), prior)
    started = time.perf_counter()
    batches = training_batches(row, image_set.train_images, seed)
    training.fit(vae, batches, epochs=row.epochs, peak_rate=row.peak_rate)
    seconds = time.perf_counter() - started
    return {
        "row": name,
        "seed": seed,
        **row._asdict(),
        "images": len(image_set.train_images),
        "real": image_set.is_real,
        "batch": BATCH,
        **measure(vae, test, k, k_images),
        "seconds": seconds,
        "cores": os.cpu_count(),
        **runtime.versions(),
    }


def stored(path: Path) -> list[dict]:
    """The lines of a file of results; none where there is no file yet."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def store(path: Path, lines: list[dict]) -> None:
    """Results and page, each whole or as it was before."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    files.write_whole(path, lambda beside: beside.write_text(text))
    page = reference_page.page(lines, rows(), path.name)
    files.write_whole(path.with_suffix(".md"), lambda beside: beside.write_text(page))


def main() -> None:
    table = rows()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=table, metavar="ROW", default=list(table), help="default: all")
    parser.add_argument("--results", type=Path, default=STORED, help="JSON lines; default: the stored ones")
    options = parser.parse_args()
    tf.get_logger().setLevel("ERROR")  # metrics trace a function for each call, and TensorFlow counts them
    loaders = {"fashion": data.load_fashion_mnist, "mnist": data.load_mnist}
    load = functools.cache(lambda name: loaders[name](source="real"))
    options.results.parent.mkdir(parents=True, exist_ok=True)
    first_part = list(table).index("pythae-50") + 1
    parts = (list(table)[:first_part], list(table)[first_part:])
    for name, seed in [(name, seed) for part in parts for seed in SEEDS for name in part if name in options.rows]:
        lines = stored(options.results)
        if not any((line["row"], line["seed"]) == (name, seed) for line in lines):
            print(f"{name}, seed {seed} ...", flush=True)
            line = run(name, seed, load(table[name].data))
            store(options.results, [*lines, line])
            print(json.dumps({key: line[key] for key in ("negative_elbo", "negative_iwae", "seconds")}), flush=True)
    store(options.results, stored(options.results))


if __name__ == "__main__":
    main()
