"""The model of lesson 06: speed of a training step, memory of a training, and what the recipes give.

    python benchmarks/avatars.py            all tables, about a quarter of an hour on two cores
    python benchmarks/avatars.py step       float32 against bfloat16, share of a large matrix product, waiting for data
    python benchmarks/avatars.py memory     peak resident set of a training with 1,000, 10,000 and 40,000 images
    python benchmarks/avatars.py recipes    noise levels, on real avatars where there are any
    python benchmarks/avatars.py time       seconds to 18.6 dB on held-out avatars; not among "all": half an hour

Figures of different runs are not comparable; ratios within one are.
"""

import functools
import itertools
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import published
import tensorflow as tf
import tf_keras as keras
from cartoonset import ROW, peak_of

from course_utils import data, metrics, models, networks, precision, runtime, training

BATCH, ROUNDS, LATENT = 32, 5, 200
# Multiplications an image in the forward pass, counted in lesson 06; the backward pass takes twice as many.
MULTIPLICATIONS = 3 * 281e6


def avatar_vae(number_type: str, variance: float | None = None, build=networks.avatar_vae_networks) -> models.VAE:
    """System 15; calibrated, or with a fixed variance."""
    runtime.set_seed()
    with precision.using(number_type):
        encoder, decoder = build()
    likelihood = models.gaussian_of(decoder, variance) if variance else models.calibrated_gaussian_of(decoder)
    return models.VAE(models.posterior_of(encoder), likelihood, models.standard_normal(LATENT))


def matrix_product(number_type: str) -> float:
    """Multiplications a second in a product of two matrices of 4096 x 4096, the best of five."""
    matrix = tf.cast(tf.random.stateless_normal((4096, 4096), [1, 2]), number_type)
    multiply = tf.function(lambda a, b: tf.reduce_sum(tf.cast(tf.matmul(a, b)[:1], tf.float32)))
    float(multiply(matrix, matrix))
    best = np.inf
    for _ in range(5):
        started = time.perf_counter()
        float(multiply(matrix, matrix))
        best = min(best, time.perf_counter() - started)
    return 4096**3 / best


def step() -> None:
    types = ["float32", *(["bfloat16"] if runtime.has_bfloat16() else [])]
    build_published = functools.partial(published.networks, keras, **published.SYSTEM_15)
    variants = {"published networks, float32": ("float32", build_published)}
    variants |= {f"course, {name}": (name, networks.avatar_vae_networks) for name in types}
    images = data.load_cartoonset(limit=640).images
    batch = data.to_float(images[:BATCH])
    steps = {}
    for name, (number_type, build) in variants.items():
        vae = avatar_vae(number_type, build=build)
        vae.compile(keras.optimizers.Adam(1e-3, jit_compile=False))
        steps[name] = tf.function(vae.train_step)
        for _ in range(3):
            steps[name](batch)
    seconds = {name: [] for name in variants}
    for _ in range(ROUNDS):  # the variants take turns, so that a busy moment hits all
        for name, train_step in steps.items():
            started = time.perf_counter()
            for _ in range(10):
                float(train_step(batch)["loss"])
            seconds[name].append((time.perf_counter() - started) / 10)
    batches = iter(data.stream(images, BATCH, seed=1))
    last = steps[f"course, {types[-1]}"]
    for _ in range(5):
        last(next(batches))
    started, waited = time.perf_counter(), 0.0
    for _ in range(60):
        asked = time.perf_counter()
        streamed = next(batches)
        waited += time.perf_counter() - asked
        float(last(streamed)["loss"])
    waiting = waited / (time.perf_counter() - started)

    print(
        f"\n| training step, batch {BATCH} | ms | images/s | ratio | of a large matrix product |\n|---|---|---|---|---|"
    )
    first = min(next(iter(seconds.values())))
    for name, (number_type, _) in variants.items():
        best = min(seconds[name])
        share = MULTIPLICATIONS * BATCH / best / matrix_product(number_type)
        print(f"| {name} | {1000 * best:.0f} | {BATCH / best:.0f} | {first / best:.2f} | {share:.0%} |")
    print(f"\nShare of a {types[-1]} step that waits for the next batch from disk: {waiting:.1%}")


TRAIN = """
import sys, numpy as np, tensorflow as tf
sys.path.insert(0, sys.argv[3])
from avatars import BATCH, avatar_vae
from course_utils import data, runtime, training
import tf_keras as keras
images = data.StoredImages(sys.argv[1], np.arange(int(sys.argv[2])))
vae = avatar_vae("bfloat16" if runtime.has_bfloat16() else "float32")
vae.compile(keras.optimizers.Adam(1e-3, jit_compile=False))
vae.fit(data.stream(images, BATCH, seed=1), epochs=1, steps_per_epoch=40, verbose=0)"""


def memory() -> None:
    sizes = (1_000, 10_000, 40_000)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "images.bin"
        noise = os.urandom(100 * ROW)
        with open(path, "wb") as file:
            for _ in range(sizes[-1] // 100):
                file.write(noise)
        peaks = [peak_of(TRAIN, str(path), str(size), str(Path(__file__).parent)) for size in sizes]
    print(f"\n| peak resident set, GB | {' | '.join(f'{size:,} images' for size in sizes)} |\n|---|---|---|---|")
    print(f"| training, batch {BATCH} | {' | '.join(f'{peak:.2f}' for peak in peaks)} |")


def recipes() -> None:
    """Six epochs each, on the avatars of lesson 06; every figure on those that were held out."""
    avatars = data.load_cartoonset(limit=2_000)
    print(f"\n{avatars}\n")
    train_images, held_out = avatars.train_images, data.to_float(avatars.test_images[:])

    def blocks(images):
        return (
            np.asarray(images, np.float32)
            .reshape(len(images), 32, 8, 32, 8, 3)
            .mean(axis=(2, 4))
            .reshape(len(images), -1)
        )

    small = np.concatenate([blocks(data.to_float(train_images[i : i + 200])) for i in range(0, len(train_images), 200)])
    axes = np.linalg.svd(small - small.mean(axis=0), full_matrices=False)[2][:30].T

    def distance(images):
        return metrics.frechet_distance(blocks(images[: len(held_out)]) @ axes, blocks(held_out) @ axes)

    some = data.to_float(train_images[: len(held_out)])
    print(f"Fréchet distance of as many training avatars to the held-out ones: {distance(some):.1f}\n")
    print("| variance of a pixel | weight of the squared error | PSNR, dB | reconstructions | prior | fitted |")
    print("|---|---|---|---|---|---|")
    number_type = precision.fastest()
    for variance in (ROW / 2000, 10.0, 1.0, None):
        vae = avatar_vae(number_type, variance)
        training.fit(vae, train_images, epochs=6, peak_rate=1e-3, batch_size=BATCH)

        def decode(codes, vae=vae):
            codes = np.asarray(codes, np.float32)
            return np.concatenate([vae.decoder(codes[i : i + 50]).mean() for i in range(0, len(codes), 50)])

        def encode(images, vae=vae):
            parts = [vae.encoder(data.to_float(images[i : i + 50])) for i in range(0, len(images), 50)]
            return [np.concatenate([getattr(part, name)() for part in parts]) for name in ("mean", "stddev")]

        means, sds = encode(train_images)
        covariance = np.cov(means.T) + np.diag(np.mean(sds**2, axis=0))
        rng = np.random.default_rng(runtime.SEED)
        rebuilt = decode(encode(avatars.test_images)[0])
        draws = {
            "prior": rng.standard_normal((400, LATENT)),
            "fitted": rng.multivariate_normal(means.mean(axis=0), covariance, 400),
        }
        distances = [distance(rebuilt), *(distance(decode(codes)) for codes in draws.values())]
        final = float(vae.decoder.variance) if variance is None else variance
        name = f"{final:.4f}, calibrated" if variance is None else f"{variance:g}"
        row = " | ".join(f"{value:.1f}" for value in (metrics.psnr(rebuilt, held_out), *distances))
        print(f"| {name} | {ROW / (2 * final):,.0f} | {row} |", flush=True)


def published_training(images):
    """System 15 as published, in batches of 128. Yields, after each epoch, what rebuilds images."""
    runtime.set_seed()
    encoder, decoder = published.networks(keras, **published.SYSTEM_15)
    train_step = published.step(keras, encoder, decoder)
    per_epoch = len(images) // 128
    for number, batch in enumerate(data.stream(images, 128, seed=1), start=1):
        train_step(batch)
        if number % per_epoch == 0:
            yield lambda batch: decoder(tf.split(encoder(batch), 2, axis=-1)[0])


def course_training(images, epochs: int = 20, batch_size: int = 16):
    """The same networks with the calibrated likelihood, one tape, warm-up and cosine. Yields the same."""
    vae = avatar_vae(precision.fastest())
    per_epoch = len(images) // batch_size
    rate = training.warmup_cosine(1e-3, epochs * per_epoch)
    vae.compile(keras.optimizers.Adam(rate, jit_compile=False))
    train_step = tf.function(vae.train_step)
    for number, batch in enumerate(data.stream(images, batch_size, seed=1), start=1):
        train_step(batch)
        if number % per_epoch == 0:
            yield lambda batch: vae.decoder(vae.encoder(batch).mean()).mean()


def time_to_decibels(aim: float = 18.6, patience: float = 2.0) -> None:
    """Seconds of training until held-out reconstructions reach the aim; the published loop gets `patience` times it."""
    avatars = data.load_cartoonset(limit=2_000)
    print(f"\n{avatars}\n\n| training | epoch | seconds | PSNR, dB |\n|---|---|---|---|")
    held_out = data.to_float(avatars.test_images[:])
    limit = np.inf
    for name, train in {"course": course_training, "published loop": published_training}.items():
        states, seconds = train(avatars.train_images), 0.0
        for epoch in itertools.count(1):
            started = time.perf_counter()
            rebuild = next(states)
            seconds += time.perf_counter() - started
            parts = [np.asarray(rebuild(held_out[i : i + 50]), np.float32) for i in range(0, len(held_out), 50)]
            decibels = metrics.psnr(np.concatenate(parts), held_out)
            print(f"| {name} | {epoch} | {seconds:.0f} | {decibels:.2f} |", flush=True)
            if decibels >= aim or seconds > limit:
                break
        limit = patience * seconds


def main() -> None:
    tables = {"step": step, "memory": memory, "recipes": recipes, "time": time_to_decibels}
    chosen = sys.argv[1:] or ["step", "memory", "recipes"]
    if unknown := set(chosen) - set(tables):
        sys.exit(f"No table {', '.join(sorted(unknown))}. Tables: {', '.join(tables)}.")
    print(f"{os.cpu_count()} cores, {platform.machine()}, {runtime.versions()}")
    for name in chosen:
        tables[name]()


if __name__ == "__main__":
    main()
