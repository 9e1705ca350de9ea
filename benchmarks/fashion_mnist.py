"""Speed and quality of the Fashion-MNIST models, each against the published loop measured in the same run.

    python benchmarks/fashion_mnist.py            all tables, about half an hour on two cores
    python benchmarks/fashion_mnist.py speed      images a second of system 14
    python benchmarks/fashion_mnist.py quality    nats per image of system 9 against time
    python benchmarks/fashion_mnist.py memory     peak resident set of lesson 05

The published loops are written afresh from their specification (systems 9 and 14; CONTRIBUTING.md has the list), with
the Keras that `tf.keras` is today. Figures of different runs are not comparable; ratios within one are.
"""

import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import keras as keras3
import numpy as np
import published
import tensorflow as tf
import tf_keras as keras

from course_utils import (
    data,
    elbo,
    models,
    networks,
    runtime,  # before TensorFlow, so that its log stays quiet
    training,
)

BATCH = 128


def images_per_second(steps: dict, batches: list, rounds: int = 5, seconds: float = 3.0) -> dict[str, float]:
    """Best round of each step; the rounds take turns, so that a busy moment hits all of them."""
    best = dict.fromkeys(steps, 0.0)
    for step in steps.values():
        for batch in batches[:3]:
            step(batch)
    for _ in range(rounds):
        for name, step in steps.items():
            started, images = time.perf_counter(), 0
            while time.perf_counter() - started < seconds:
                for batch in batches:
                    step(batch)
                    images += len(batch)
            best[name] = max(best[name], images / (time.perf_counter() - started))
    return best


def published_batchnorm_step(kind):
    """System 14 as published."""
    return published.step(kind, *published.networks(kind, **published.SYSTEM_14))


def course_batchnorm_step(policy: str = "float32"):
    """System 14 as lesson 05 trains it."""
    keras.mixed_precision.set_global_policy(policy)
    encoder, decoder = networks.batchnorm_vae_networks()
    keras.mixed_precision.set_global_policy("float32")
    vae = models.VAE(models.posterior_of(encoder), models.gaussian_of(decoder, 0.392), models.standard_normal(2))
    vae.compile(keras.optimizers.Adam(5e-4, jit_compile=False))
    return tf.function(vae.train_step)


def torch_batchnorm_step():
    """System 14 in PyTorch, eager, in the memory layout that is fastest on a CPU; None without PyTorch."""
    # Some builds of PyTorch end the process when TensorFlow is loaded too: try it in another one first.
    if subprocess.run([sys.executable, "-c", "import tensorflow, torch"], capture_output=True).returncode:
        print("No PyTorch, or not one that loads beside TensorFlow.")
        return None
    import torch

    nn = torch.nn

    def block(layer, channels):
        return [layer, nn.BatchNorm2d(channels, momentum=0.1), nn.LeakyReLU(0.3)]

    down, channels = [], 1
    for filters, stride in ((32, 1), (64, 2), (64, 2), (64, 1)):
        down += block(nn.Conv2d(channels, filters, 3, stride, padding=1), filters)
        channels = filters
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(3136, 4))
    up = []
    for filters, stride in ((64, 1), (64, 2), (32, 2)):
        up += block(nn.ConvTranspose2d(channels, filters, 3, stride, padding=1, output_padding=stride - 1), filters)
        channels = filters
    decoder = nn.Sequential(
        nn.Linear(2, 3136), nn.Unflatten(1, (64, 7, 7)), *up, nn.ConvTranspose2d(32, 1, 3, padding=1), nn.Sigmoid()
    )
    model = nn.ModuleList([encoder, decoder]).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), 5e-4)

    def step(images):
        images = torch.from_numpy(images.numpy()).permute(0, 3, 1, 2)
        mean, log_variance = encoder(images).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        error = ((images - decoder(z)) ** 2).mean(dim=(1, 2, 3))
        kl = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(dim=1)
        loss = (1000 * error + kl).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def speed() -> None:
    images = data.to_float(data.load_fashion_mnist().train_images[: 8 * BATCH])
    batches = [tf.constant(images[first : first + BATCH]) for first in range(0, len(images), BATCH)]
    steps = {
        "published loop, tf.keras of today (Keras 3)": published_batchnorm_step(keras3),
        "published loop, tf_keras": published_batchnorm_step(keras),
        "course, float32": course_batchnorm_step(),
    }
    if runtime.has_bfloat16():
        steps["course, bfloat16"] = course_batchnorm_step("mixed_bfloat16")
    if (torch_step := torch_batchnorm_step()) is not None:
        steps["PyTorch, eager, channels last"] = torch_step
    rates = images_per_second(steps, batches)
    baseline = rates["published loop, tf.keras of today (Keras 3)"]
    print("\n| system 14, batch 128, one training step | images/s | ratio |\n|---|---|---|")
    for name, rate in rates.items():
        print(f"| {name} | {rate:,.0f} | {rate / baseline:.2f} |")


def evaluate_networks(encoder, decoder, images) -> float:
    vae = models.VAE(models.posterior_of(encoder), models.bernoulli_of(decoder), models.standard_normal(2))
    return elbo.evaluate(vae, images)["negative_elbo"]


def published_conv_training(images, test_images, epochs: int = 10) -> tuple[float, float]:
    """System 9 as published: Adam 1e-4, batch 32, single-sample bound. Seconds of training, nats on the test set."""
    encoder, decoder = networks.conv_vae_networks()
    optimizer = keras.optimizers.Adam(1e-4, jit_compile=False)
    variables = encoder.trainable_variables + decoder.trainable_variables

    def log_normal(z, mean, log_variance):
        return tf.reduce_sum(
            -0.5 * ((z - mean) ** 2 * tf.exp(-log_variance) + log_variance + np.log(2 * np.pi)), axis=1
        )

    @tf.function
    def step(batch):
        with tf.GradientTape() as tape:
            mean, log_variance = tf.split(encoder(batch), 2, axis=-1)
            z = mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))
            entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=batch, logits=decoder(z))
            log_likelihood = -tf.reduce_sum(entropy, axis=[1, 2, 3])
            bound = log_likelihood + log_normal(z, 0.0, 0.0) - log_normal(z, mean, log_variance)
            loss = -tf.reduce_mean(bound)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    dataset = tf.data.Dataset.from_tensor_slices(data.binarise(images)).shuffle(60_000).batch(32)
    step(tf.zeros((32, 28, 28, 1)))  # traced before the clock starts, as for the course's recipe
    started = time.perf_counter()
    for epoch in range(epochs):
        for batch in dataset:
            step(batch)
        print(f"  published: epoch {epoch + 1}, {time.perf_counter() - started:.0f} s", flush=True)
    return time.perf_counter() - started, evaluate_networks(encoder, decoder, test_images)


def course_training(build, images, test_images, epochs: int, peak_rate: float) -> tuple[float, float]:
    """The same bound with the course's recipe: seconds of training, everything included, and nats on the test set."""
    encoder, decoder = build()
    vae = models.VAE(models.posterior_of(encoder), models.bernoulli_of(decoder), models.standard_normal(2))
    started = time.perf_counter()
    training.fit(vae, images, epochs=epochs, peak_rate=peak_rate, transform="binarise")
    seconds = time.perf_counter() - started
    return seconds, elbo.evaluate(vae, test_images)["negative_elbo"]


def quality() -> None:
    fashion = data.load_fashion_mnist()
    print(fashion)
    images, test_images = fashion.train_images, data.binarise(fashion.test_images)
    rows = {"published recipe, 10 epochs": published_conv_training(images, test_images)}
    seconds = rows["published recipe, 10 epochs"][0]
    recipes = {"same network, course recipe": (networks.conv_vae_networks, 3e-3, (1, 2, 3, 5))}
    recipes["dense network, course recipe"] = (networks.dense_vae_networks, 1e-3, (1, 2, 5))
    for name, (build, rate, lengths) in recipes.items():
        for epochs in lengths:
            runtime.set_seed()
            rows[f"{name}, {epochs} epochs"] = course_training(build, images, test_images, epochs, rate)
            print(f"  {name}, {epochs} epochs: {rows[f'{name}, {epochs} epochs']}", flush=True)
        per_epoch = rows[f"{name}, {lengths[-1]} epochs"][0] / lengths[-1]
        epochs = max(1, int(0.97 * seconds / per_epoch))
        runtime.set_seed()
        rows[f"{name}, {epochs} epochs (equal time)"] = course_training(build, images, test_images, epochs, rate)
    print(
        "\n| system 9, latent 2, test set, one draw | -ELBO, nats per image | seconds | sooner by |\n|---|---|---|---|"
    )
    for name, (spent, nats) in rows.items():
        print(f"| {name} | {nats:.1f} | {spent:.0f} | {seconds / spent:.1f}x |")


def memory() -> None:
    """Execute lesson 05 at the laptop budget in a process of its own and read its peak."""
    script = (Path(__file__).parents[1] / "notebooks" / "source" / "05_fashion_mnist_vae.py").read_text()
    code = "import matplotlib; matplotlib.use('Agg')\n" + script
    environment = {**os.environ, "COURSE_BUDGET": "laptop"}
    folder = Path(__file__).parents[1] / "build" / "benchmark"
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"\nlesson 05, laptop budget: peak resident set {peak / 1e9:.2f} GB, {time.perf_counter() - started:.0f} s")


def main() -> None:
    tables = {"speed": speed, "quality": quality, "memory": memory}
    chosen = sys.argv[1:] or list(tables)
    if unknown := set(chosen) - set(tables):
        sys.exit(f"No table {', '.join(sorted(unknown))}. Tables: {', '.join(tables)}.")
    print(f"{os.cpu_count()} cores, {platform.machine()}, {runtime.versions()}")
    for name in chosen:
        runtime.set_seed()
        tables[name]()


if __name__ == "__main__":
    main()
