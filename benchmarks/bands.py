"""One variance for all pixels against one for each band of a wavelet basis: python benchmarks/bands.py

Avatars at 64x64, the networks and steps of lesson 06, three starts each; some ten minutes on two cores. The basis is
orthonormal, so both are densities of the same pixels, and their nats can be compared.
"""

import time

import numpy as np
import tensorflow as tf
import tf_keras as keras

from course_utils import data, elbo, metrics, networks, training

LATENT = 200


def haar(images: tf.Tensor, levels: int) -> list[tf.Tensor]:
    """Coefficients in the orthonormal Haar basis, (batch, numbers) a band: details, fine ones first, then the rest."""
    bands, low = [], images
    for _ in range(levels):
        a, b, c, d = (low[:, i::2, j::2] for i in (0, 1) for j in (0, 1))
        details = (a + b - c - d, a - b + c - d, a - b - c + d)
        bands.append(tf.concat([tf.reshape(detail / 2, (len(images), -1)) for detail in details], axis=1))
        low = (a + b + c + d) / 2
    return [*bands, tf.reshape(low, (len(images), -1))]


def main(epochs: int = 8, starts: int = 3) -> None:
    """The networks of lesson 06 at 64x64. A variance is the mean squared error of its band, which is its best value."""
    avatars = data.load_cartoonset(limit=2_000)

    def shrunk(images, side):
        factor = images.shape[1] // side
        return images.reshape(len(images), side, factor, side, factor, 3).mean(axis=(2, 4))

    train_images = np.concatenate(
        [shrunk(data.to_float(avatars.train_images[i : i + 200]), 64) for i in range(0, len(avatars.train_images), 200)]
    )
    held_out = shrunk(data.to_float(avatars.test_images[:]), 64)
    small = shrunk(train_images, 32).reshape(len(train_images), -1)
    axes = np.linalg.svd(small - small.mean(axis=0), full_matrices=False)[2][:30].T

    def features(images):
        return shrunk(np.asarray(images), 32).reshape(len(images), -1) @ axes

    def sharpness(images):
        return float(np.abs(np.diff(images, axis=2)).mean() / np.abs(np.diff(held_out, axis=2)).mean())

    def squares(levels, images, means):
        return [tf.reduce_mean(band**2) for band in haar(images - means, levels)]

    def nats(sizes, variances, errors):
        parts = zip(sizes, variances, errors, strict=True)
        return sum(0.5 * n * (tf.math.log(2 * np.pi * variance) + error / variance) for n, variance, error in parts)

    print(f"\n{avatars}\n\n| variances | start | seconds | -ELBO | PSNR, dB | sharpness | fitted draws |")
    print("|---|---|---|---|---|---|---|")
    for seed in range(starts):
        for name, levels in {"one": 0, "one a band": 4}.items():
            keras.utils.set_random_seed(seed)
            encoder, decoder = networks.image_vae_networks((64, 64, 3), LATENT)
            sizes = [band.shape[1] for band in haar(tf.zeros((1, 64, 64, 3)), levels)]
            steps = epochs * (len(train_images) // 16)
            optimizer = keras.optimizers.Adam(training.warmup_cosine(1e-3, steps), jit_compile=False)
            variables = encoder.trainable_variables + decoder.trainable_variables

            @tf.function
            def train_step(images, levels=levels, sizes=sizes, parts=(encoder, decoder, optimizer, variables)):
                encoder, decoder, optimizer, variables = parts
                with tf.GradientTape() as tape:
                    mean, log_variance = tf.split(encoder(images, training=True), 2, axis=-1)
                    z = mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))
                    errors = squares(levels, images, decoder(z, training=True))
                    loss = nats(sizes, errors, errors) + tf.reduce_mean(elbo.kl_to_standard_normal(mean, log_variance))
                optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

            optimizer.build(variables)
            began = time.perf_counter()
            for batch in data.stream(train_images, 16, seed=seed, mirror=True).take(steps):
                train_step(batch)
            seconds = time.perf_counter() - began

            def coded(images, encoder=encoder):
                return (np.float32(part) for part in tf.split(encoder.predict(images, verbose=0), 2, axis=-1))

            def decoded(z, decoder=decoder):
                return decoder.predict(np.float32(z), verbose=0)

            rng = np.random.default_rng(seed)
            (train_mean, train_log), (mean, log_variance) = coded(train_images), coded(held_out)
            sampled = [
                m + np.exp(0.5 * v) * rng.standard_normal(m.shape)
                for m, v in ((train_mean, train_log), (mean, log_variance))
            ]
            errors = squares(levels, np.float32(train_images[:400]), decoded(sampled[0][:400]))  # of training images
            bound = nats(sizes, errors, squares(levels, np.float32(held_out), decoded(sampled[1])))
            bound += tf.reduce_mean(elbo.kl_to_standard_normal(mean, log_variance))
            covariance = np.cov(train_mean.T) + np.diag(np.exp(train_log).mean(axis=0))
            draws = decoded(rng.multivariate_normal(train_mean.mean(axis=0), covariance, len(held_out)))
            rebuilt = decoded(mean)
            distance = metrics.frechet_distance(features(draws), features(held_out))
            figures = f"{float(bound):,.0f} | {metrics.psnr(rebuilt, held_out):.2f} | {sharpness(rebuilt):.2f}"
            print(f"| {name} | {seed} | {seconds:.0f} | {figures} | {distance:.1f} |", flush=True)


if __name__ == "__main__":
    main()
