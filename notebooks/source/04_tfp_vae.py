# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 · A VAE from TFP's layers, on binary digits
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/vae-course/vae-course/blob/main/notebooks/04_tfp_vae.ipynb)
#
# ![Digits from three models: with the KL counted once and twice different digits, counted 64 times one grey blot](figures/04_factors.png)
#
# TensorFlow Probability has Keras layers whose output is a distribution. With them a VAE is a short program that reads
# like the formula. This lesson writes that program for digits, first with a training loop of its own, then with layers
# that add the KL term for you. The second way has a catch: some of those layers add it twice, or once for every image in
# the batch. You will measure all of it.

# %% [markdown]
# **You will do**
# - make digits binary in two right ways and one wrong one;
# - build a VAE from distributions, train it with your own loop, and use it to generate, encode and reconstruct;
# - let `KLDivergenceAddLoss` and `KLDivergenceRegularizer` add the KL, and count how often they add it;
# - save and load the result without a pickle.
#
# **You will learn**
# - how to say the shapes of a model as batch shape and event shape;
# - that the analytic and the Monte-Carlo KL are two estimates of one number;
# - what a KL that is counted too often does to a trained model;
# - the one line that tells you whether your loss is the negative ELBO.
#
# **You need** lessons [02](02_kl_divergence.ipynb) and [03](03_reparameterization.ipynb), or the words *KL divergence*,
# *ELBO* and *reparameterization*.
#
# **Time:** about three minutes at the `laptop` budget on two cores. `full` trains five times as long and wants a GPU.

# %% tags=["setup", "hide-input"] cellView="form" jupyter={"source_hidden": true}
# @title Set up (run this cell first)
import os
import sys
from importlib import invalidate_caches, metadata, util
from subprocess import run

if not util.find_spec("course_utils") and {"google.colab", "COURSE_SOURCE"} & {*sys.modules, *os.environ}:
    course = os.environ.get("COURSE_SOURCE", "git+https://github.com/vae-course/vae-course")
    keep = [f"{name}=={metadata.version(name)}" for name in ("tensorflow", "numpy")]  # tf-keras follows TensorFlow
    pip = run([sys.executable, "-m", "pip", "install", "-q", course, *keep], capture_output=True, text=True)
    assert pip.returncode == 0, pip.stderr
    invalidate_caches()

from course_utils import runtime

budget = runtime.start("04")

# %%
import base64
import inspect
import json
import pickletools
import re
import tempfile
import warnings
import zipfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras
from sklearn.neighbors import KNeighborsClassifier
from tqdm import tqdm

from course_utils import checks, data, plots, selftest

tfd, tfpl, layers = tfp.distributions, tfp.layers, keras.layers
rng = np.random.default_rng(runtime.SEED)

# %% [markdown]
# ## Make the pixels binary, the right way up
#
# The digits come in 256 levels of grey, 0 for paper and 255 for ink. Our decoder will hand back one Bernoulli variable
# for each pixel, and a Bernoulli variable is 0 or 1. So the pixels have to be 0 or 1 too. There are two usual ways. Either
# cut at one half, or read the grey level as a *probability* and draw: a pixel of 0.3 becomes a 1 in 30 of 100 draws.

# %%
mnist = data.load_mnist()
plots.label_source(mnist)
print(mnist)

train_images = mnist.train_images[: budget.images]
one_of_each = [int(np.flatnonzero(mnist.test_labels == digit)[0]) for digit in range(10)]

# %%
grey = data.to_float(mnist.test_images)
uniform = rng.random(grey.shape)
versions = {
    "grey": grey,
    "grey > 0.5": data.binarise(mnist.test_images),
    "uniform < grey": (uniform < grey).astype(np.float32),
    "grey < uniform": (grey < uniform).astype(np.float32),
}
for name, images in versions.items():
    print(f"{name:15s} {len(np.unique(images)):3d} values, {images.mean():.3f} of the pixels are ink")

# %% alt="Ten digits in four rows: grey; cut at one half; drawn with the grey level as probability, with ragged edges; and the wrong comparison, which shows dark digits on a white ground"
plots.compare_rows(
    {name: images[one_of_each] for name, images in versions.items()},
    title="Three rows show ink as light. The last one shows the negative",
)
plt.show()

# %% [markdown]
# The threshold gives clean edges, and the same image every time. The draw has ragged edges that change with every draw,
# which is a mild data augmentation. Published results on "binarised MNIST" use one or the other, and their nats cannot be
# compared.
#
# > **A common mistake.** `image < uniform` instead of `uniform < image` compiles, trains and converges. It swaps paper
# > and ink: most of the pixels become ones. A picture shows it if you look. A number shows it always: the share of ink
# > must survive.

# %% tags=["claim"]
assert abs(versions["uniform < grey"].mean() - grey.mean()) < 5 * 0.5 / np.sqrt(grey.size)
assert abs(versions["grey < uniform"].mean() - (1 - grey.mean())) < 5 * 0.5 / np.sqrt(grey.size)
assert abs(versions["grey > 0.5"].mean() - grey.mean()) < 0.05 and versions["grey < uniform"].mean() > 0.7

# %% [markdown]
# ### Measure the floor under the grey levels
#
# Why not skip this and feed the grey levels to a cross-entropy? It runs, and many tutorials call the result an ELBO. Take
# the best model that can exist, one that predicts each pixel exactly. A cross-entropy still charges the entropy of every
# grey level:

# %%
levels = np.clip(grey.astype(np.float64), 1e-12, 1 - 1e-12)
entropy = -levels * np.log(levels) - (1 - levels) * np.log1p(-levels)
floor = entropy.sum() / len(grey)
print(f"cross-entropy of the grey test images with themselves: {floor:.2f} nats per image")

# %% alt="Left: the entropy of a Bernoulli variable against its grey level, zero at both ends and 0.69 nats in the middle. Right: one digit in grey, and the nats that each of its pixels costs a perfect model: a bright outline along the edges of the stroke"
figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), width_ratios=(1.4, 1, 1.25))
line = np.linspace(1e-6, 1 - 1e-6, 300)
axes[0].plot(line, -line * np.log(line) - (1 - line) * np.log1p(-line))
axes[0].set(xlabel="grey level", ylabel="nats per pixel", title="What a perfect guess costs")
axes[1].imshow(grey[one_of_each[3], ..., 0], vmin=0, vmax=1)
axes[1].set_title("one digit")
shown = axes[2].imshow(entropy[one_of_each[3], ..., 0], cmap="cividis", vmin=0, vmax=np.log(2))
axes[2].set_title(f"its floor: {entropy[one_of_each[3]].sum():.0f} nats")
for axis in axes[1:]:
    axis.axis("off")
figure.colorbar(shown, ax=axes[2], label="nats per pixel")
plt.show()

# %% [markdown]
# The floor sits on the edges of the strokes, where the pixels are grey. On the real test set it is 45.53 nats per image
# on average. No training gets below it, and it is a property of how the digits were scaled down, not of the model: the
# grey levels come from smoothing black and white scans. On binary pixels the floor is zero. We cut at one half in this
# lesson.

# %% tags=["claim"]
if mnist.is_real:
    np.testing.assert_allclose(floor, 45.53, atol=0.01)
assert floor > 10
binary_test = data.binarise(mnist.test_images)
assert set(np.unique(binary_test)) == {0.0, 1.0}

# %% [markdown]
# ### Exercise 1: draw binary images
#
# Write the draw: `images` are `uint8` from 0 to 255, `rng` is a NumPy generator. Return 0 and 1 as floats.


# %% tags=["exercise"]
def draw_binary(images, rng):
    return images / 255  # your code here


checks.binarise(draw_binary)

# %% [markdown]
# ## Build an encoder that returns a distribution
#
# The encoder ends in four numbers for each image. `DistributionLambda` is the last layer: a function from those numbers
# to a distribution. Two of the numbers are the mean. The other two go through `exp` to become the standard deviation.
# In lesson 03 the network's output was a log *variance*, and there was a factor of one half. Here it is a log standard
# deviation, so there is none. Either is fine, as long as one of them is meant.

# %%
latent_dim = 2


def to_posterior(parameters):
    loc, log_sd = tf.split(parameters, 2, axis=-1)
    return tfd.MultivariateNormalDiag(loc, tf.exp(log_sd))


def make_encoder():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(8, 5, strides=2, activation="tanh"),
            layers.Conv2D(8, 5, strides=2, activation="tanh"),
            layers.Flatten(),
            layers.Dense(64, activation="tanh"),
            layers.Dense(2 * latent_dim),
            tfpl.DistributionLambda(to_posterior),
        ],
        name="encoder",
    )


encoder = make_encoder()

# %% [markdown]
# Call it on five images, and ask what came out:

# %%
five = tf.constant(binary_test[:5])
posterior = encoder(five)
print("batch shape", posterior.batch_shape, "| event shape", posterior.event_shape)
for name, value in {
    "mean": posterior.mean(),
    "one draw": posterior.sample(),
    "seven draws": posterior.sample(7),
    "log density of a draw": posterior.log_prob(posterior.sample()),
}.items():
    print(f"{name:22s}{value.shape}")

# %% [markdown]
# Five distributions over the plane: batch shape `(5,)`, event shape `(2,)`. A draw has both shapes, several draws get an
# axis in front, and a log density has the batch shape alone, because an event is one thing and has one density.
#
# The object also behaves as a tensor where one is needed. It then turns into a draw, the *same* draw each time you ask:

# %% tags=["claim"]
assert posterior.batch_shape == (5,) and posterior.event_shape == (2,)
assert posterior.sample(7).shape == (7, 5, 2) and posterior.log_prob(posterior.sample()).shape == (5,)
assert np.array_equal(tf.convert_to_tensor(posterior), tf.convert_to_tensor(posterior))
assert not np.allclose(tf.convert_to_tensor(posterior), posterior.sample())
assert encoder.count_params() == 10_332

# %% [markdown]
# ## Build a decoder that returns a distribution over images
#
# The decoder runs the other way: from two numbers to 4x4 feature maps, then to 12x12 and 28x28. The option
# `output_padding=1` settles what a stride of 2 leaves open, since 12 pixels as well as 11 would shrink to 4. The last
# layer takes 784 logits and returns a distribution whose event is a whole image.


# %%
def make_decoder():
    return keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(64, activation="tanh"),
            layers.Dense(128, activation="tanh"),
            layers.Reshape((4, 4, 8)),
            layers.Conv2DTranspose(8, 5, strides=2, output_padding=1, activation="tanh"),
            layers.Conv2DTranspose(8, 5, strides=2, output_padding=1, activation="tanh"),
            layers.Conv2D(1, 3, padding="same"),
            layers.Flatten(),
            tfpl.IndependentBernoulli((28, 28, 1)),
        ],
        name="decoder",
    )


decoder = make_decoder()
prior = tfd.MultivariateNormalDiag(tf.zeros(latent_dim))
for network in (encoder, decoder):
    sizes = [layer.output_shape[1:] for layer in network.layers[:-1]]
    print(f"{network.name}, {network.count_params():,} parameters:", " -> ".join(str(size) for size in sizes))

# %%
z = posterior.sample()
likelihood = decoder(z)
print("z", z.shape, "-> batch shape", likelihood.batch_shape, "| event shape", likelihood.event_shape)
print("log p(x|z):", likelihood.log_prob(five).shape, "| prior: batch", prior.batch_shape, "event", prior.event_shape)

# %% tags=["claim"]
assert z.shape == (5, 2) and likelihood.batch_shape == (5,) and likelihood.event_shape == (28, 28, 1)
assert likelihood.log_prob(five).shape == (5,) and likelihood.sample().shape == (5, 28, 28, 1)
assert prior.batch_shape == () and prior.event_shape == (2,) and prior.log_prob(z).shape == (5,)
assert [layer.output_shape[1:3] for layer in decoder.layers[3:5]] == [(12, 12), (28, 28)]
assert decoder.count_params() == 11_801

# %% [markdown]
# > **A common mistake.** `tfd.Bernoulli(logits=...)` without `Independent` has the batch shape `(5, 28, 28, 1)` and the
# > event shape `()`. Its `log_prob` hands back 784 numbers an image, and a `reduce_mean` over all of them looks innocent.
# > It divides the likelihood by 784 and leaves the KL as it is. Print the batch shape of every distribution once.

# %%
separate_pixels = tfd.Bernoulli(logits=tf.zeros((5, 28, 28, 1)))
one_image = tfd.Independent(separate_pixels, reinterpreted_batch_ndims=3)
for name, distribution in {"Bernoulli": separate_pixels, "Independent": one_image}.items():
    log_prob = distribution.log_prob(five)
    print(f"{name:12s}log_prob of shape {log_prob.shape!s:18s} mean {tf.reduce_mean(log_prob):8.2f} nats")

# %% [markdown]
# 784 coins cost $784 \ln 2 = 543.43$ nats an image. The mean over pixels says 0.69. And a second trap, a smaller one: the
# layer's distribution has `log_prob`, but not `prob`. That is no loss. The probability of an image is a number like
# $e^{-543}$, which `float32` cannot hold.

# %%
try:
    likelihood.prob(five)
except AttributeError as error:
    print("prob raises:", error)

# %% tags=["claim"]
np.testing.assert_allclose(tf.reduce_mean(one_image.log_prob(five)), -784 * np.log(2), rtol=1e-5)
np.testing.assert_allclose(tf.reduce_mean(separate_pixels.log_prob(five)), -np.log(2), rtol=1e-5)
assert np.float32(np.exp(-543.43)) == 0 and np.all(np.isfinite(likelihood.log_prob(five)))

# %% [markdown]
# Here is the whole model in one picture. Every shape in it is read from the live objects.


# %%
def shapes(distribution):
    return f"batch {tuple(distribution.batch_shape)}\nevent {tuple(distribution.event_shape)}"


kl = tfd.kl_divergence(posterior, prior)
log_likelihood = likelihood.log_prob(five)
boxes = {
    "x": ((0, 0), f"images x\n{tuple(five.shape)}", plots.DARK),
    "q": ((1, 0), f"q(z|x)\n{shapes(posterior)}", plots.BLUE),
    "z": ((2, 0), f"draw z\n{tuple(z.shape)}", plots.DARK),
    "p": ((3, 0), f"p(x|z)\n{shapes(likelihood)}", plots.BLUE),
    "prior": ((1, 1), f"prior p(z)\n{shapes(prior)}", plots.BLUE),
    "kl": ((2, 1), f"KL\n{tuple(kl.shape)}", plots.GREEN),
    "log": ((3, 1), f"log p(x|z)\n{tuple(log_likelihood.shape)}", plots.GREEN),
    "elbo": ((4, 1), f"−ELBO, a mean\n{tuple(tf.reduce_mean(kl - log_likelihood).shape)}", plots.ORANGE),
}
arrows = [("x", "q", "encoder"), ("q", "z", ""), ("z", "p", "decoder"), ("q", "kl", ""), ("prior", "kl", "")]
arrows += [("p", "log", ""), ("log", "elbo", ""), ("kl", "log", "")]

# %% alt="A diagram of the VAE: images of shape (5, 28, 28, 1) go through the encoder to q(z|x) with batch (5,) and event (2,), to a draw z of shape (5, 2), through the decoder to p(x|z) with batch (5,) and event (28, 28, 1). The KL and log p(x|z) have shape (5,), and their mean, the negative ELBO, is a scalar"
figure, axis = plt.subplots(figsize=(13, 3.9))
patches = {}
for name, ((across, down), text, colour) in boxes.items():
    style = {"boxstyle": "round,pad=0.45", "fc": "white", "ec": colour, "lw": 2.5}
    place = (2.5 * across, -1.9 * down)
    patches[name] = axis.text(*place, text, ha="center", va="center", bbox=style, fontsize=12).get_bbox_patch()
for start, end, label in arrows:
    (x0, y0), (x1, y1) = [(2.5 * boxes[name][0][0], -1.9 * boxes[name][0][1]) for name in (start, end)]
    plus = (start, end) == ("kl", "log")
    arrow = {"arrowstyle": "-" if plus else "-|>", "mutation_scale": 20, "color": "#8c8c8c", "lw": 2}
    axis.annotate("", (x1, y1), (x0, y0), arrowprops=arrow | {"patchA": patches[start], "patchB": patches[end]})
    axis.text((x0 + x1) / 2, (y0 + y1) / 2 + 0.22, "minus" if plus else label, ha="center", fontsize=11)
axis.set(xlim=(-1.1, 11.1), ylim=(-2.6, 0.7), title="Blue boxes are distributions, green ones are nats per image")
axis.axis("off")
plt.show()

# %% [markdown]
# Read it from left to right. The event shapes disappear where a density or a divergence is taken. What remains is the
# batch shape, one number an image, and only the last step averages.
#
# ## Write the bound in two ways
#
# For one image, $-\mathrm{ELBO} = \mathrm{KL}(q(z|x) \,\|\, p(z)) - \mathbb{E}_q[\log p(x|z)]$. TFP knows the KL of two
# normals in closed form. Where it does not know a pair, you estimate it from the draw that you have anyway:
# $\log q(z|x) - \log p(z)$.


# %%
def analytic_kl(posterior, z):
    return tfd.kl_divergence(posterior, prior)


def monte_carlo_kl(posterior, z):
    return posterior.log_prob(z) - prior.log_prob(z)


def negative_elbo(encoder, decoder, images, kl=analytic_kl, kl_weight=1.0):
    """Nats per image, shape (batch,): the KL, and minus the log-likelihood at one drawn z."""
    posterior = encoder(images)
    z = posterior.sample()
    return kl_weight * kl(posterior, z) - decoder(z).log_prob(images)


some_images = tf.constant(binary_test[:200])
for kl in (analytic_kl, monte_carlo_kl):
    values = negative_elbo(encoder, decoder, some_images, kl)
    print(f"{kl.__name__:15s} shape {values.shape}, mean {tf.reduce_mean(values):.2f} nats per image")

# %% [markdown]
# The decoder has learned nothing yet, so both are close to the 543 nats of the coins. Now compare the two more sharply.
# At the same draws $z$ the likelihood cancels, and what is left is the difference of two KL terms. Its expectation is
# zero. For 200 images with 100 draws each, the mean has to be zero within a few standard errors. We write a function,
# because we want to ask again after the training.


# %%
def compare_kls(draws=100):
    """Both KL terms at the same draws: the analytic one (images,), the estimates (draws, images), and a z-score."""
    posterior = encoder(some_images)
    exact = tfd.kl_divergence(posterior, prior).numpy()
    estimates = monte_carlo_kl(posterior, posterior.sample(draws)).numpy()
    difference = estimates - exact
    standard_error = np.sqrt(np.mean(difference**2) / difference.size)
    print(f"analytic {exact.mean():.4f}, Monte Carlo {estimates.mean():.4f} +- {standard_error:.4f} nats per image")
    return exact, estimates, difference.mean() / standard_error


*_, score_before = compare_kls()

# %% tags=["claim"]
assert abs(score_before) < 5

# %% [markdown]
# ### Exercise 2: the negative ELBO of a batch
#
# Write it for any `vae` with the three parts `vae.encoder`, `vae.decoder` and `vae.prior`. Return one number, nats per
# image. Use either KL.


# %% tags=["exercise"]
def batch_negative_elbo(vae, images):
    return tf.constant(0.0)  # your code here


checks.negative_elbo(batch_negative_elbo)

# %% [markdown]
# ## Train it with a loop of your own
#
# Four lines do the work: take a batch, record the loss, ask for the gradient, move the weights. `tf.function` turns them
# into a graph. Python runs the body once, while the graph is recorded, and afterwards the graph runs without Python. A
# batch of another size would be recorded again; `drop_remainder` keeps all batches the same.


# %%
def train(encoder, decoder, images, epochs, kl_weight=1.0, batch_size=64):
    """Minimise the negative ELBO; return the loss of each step, and how often the step was recorded."""
    batches = data.batches(images, batch_size, seed=runtime.SEED, transform="binarise", drop_remainder=True)
    steps = epochs * (len(images) // batch_size)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(8e-3, steps), jit_compile=False)
    variables = encoder.trainable_variables + decoder.trainable_variables
    optimizer.build(variables)

    @tf.function
    def train_step(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(negative_elbo(encoder, decoder, images, kl_weight=kl_weight))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    losses = []
    with tqdm(total=steps, file=sys.stdout, bar_format="{bar:30} {n_fmt} of {total_fmt} steps{postfix}") as bar:
        for batch in batches.repeat(epochs):
            losses.append(train_step(batch))
            if bar.update():
                bar.set_postfix_str(f"loss {np.mean(losses[-100:]):.1f} nats per image", refresh=False)
    return np.array(losses), train_step.experimental_get_tracing_count()


losses, recordings = train(encoder, decoder, train_images, budget.epochs)

# %% tags=["claim"]
assert recordings == 1

# %% [markdown]
# How good is a loss? The yardstick is the best model without a latent variable: every pixel a coin of its own, which
# shows ink as often as the training images do. Where the loss falls below that line, the code $z$ starts to pay.

# %% alt="Training loss against the step on a logarithmic axis. It starts at 543 nats, falls steeply to the dashed line of the model with a coin for each pixel, and then slowly further below it"
frequency = np.clip(data.binarise(train_images).mean(axis=0), 1e-4, 1 - 1e-4)
coins = -np.mean(np.sum(binary_test * np.log(frequency) + (1 - binary_test) * np.log1p(-frequency), axis=(1, 2, 3)))
figure, axis = plt.subplots(figsize=(9, 4.2))
axis.plot(np.arange(1, len(losses) + 1), losses, lw=1)
axis.axhline(784 * np.log(2), color=plots.ORANGE, ls=":", label="fair coins: 784 ln 2")
axis.axhline(coins, color=plots.DARK, ls="--", lw=1.5, label="a coin for each pixel")
axis.set(xscale="log", xlabel="training step", ylabel="−ELBO (nats per image)")
axis.set_title("Below the dashed line the code $z$ pays")
axis.legend()
plt.show()

# %% [markdown]
# Losses of training batches are noisy, and the model has seen those images. So take the test set, with one drawn $z$ an
# image, and give the mean its standard error.


# %%
def evaluate(encoder, decoder, images, kl=analytic_kl):
    """Test -ELBO, its standard error, and the mean KL: three numbers, in nats per image."""

    @tf.function
    def terms(batch):
        posterior = encoder(batch)
        z = posterior.sample()
        return -decoder(z).log_prob(batch), kl(posterior, z)

    parts = [terms(batch) for batch in data.batches(images, 500, seed=0, shuffle=False)]
    reconstruction, divergence = (np.concatenate(part) for part in zip(*parts, strict=True))
    bound = reconstruction + divergence
    return bound.mean(), bound.std() / len(images) ** 0.5, divergence.mean()


print(f"{'a coin for each pixel':24s}{coins:7.1f}")
results = {kl.__name__: evaluate(encoder, decoder, binary_test, kl) for kl in (analytic_kl, monte_carlo_kl)}
for name, (bound, error, divergence) in results.items():
    print(f"-ELBO, {name:17s}{bound:7.1f} +- {error:.1f}, of which KL {divergence:.1f} nats per image")

# %% [markdown]
# Two numbers an image save a good part of the bill. And the two ways to write the KL still agree. After the training the
# KL is no longer small, so the comparison is worth more than before:

# %%
exact, estimates, score_after = compare_kls()
print("within", f"{abs(score_after):.1f}", "standard errors")

# %% alt="Histograms of Monte-Carlo estimates of the KL of one image: from one draw, wide, and as means of ten draws, narrow; a dashed line marks the analytic value in the middle"
one = int(np.argsort(exact)[len(exact) // 2])
posterior = encoder(some_images[one : one + 1])
estimates = monte_carlo_kl(posterior, posterior.sample(20_000)).numpy().ravel()
plots.compare_histograms(
    {"one draw": estimates, "mean of ten draws": estimates.reshape(-1, 10).mean(axis=1)},
    title="The KL of one image: every estimate is centred on the analytic value",
    xlabel="estimate of the KL (nats)",
)
plt.gca().axvline(exact[one], color=plots.DARK, ls="--", lw=1.5, label="analytic")
plt.gca().legend()
plt.show()

# %% [markdown]
# Most draws lie a little above the analytic value, and a few lie several nats below it. Averaged over a batch that hardly
# matters, and the optimizer averages over thousands of batches. Use the analytic KL where it exists. Keep the
# other for the pairs that TFP does not know.

# %% tags=["claim"]
assert abs(score_after) < 5
assert np.median(estimates) > exact[one] > estimates.min() + 3
assert abs(estimates.mean() - exact[one]) < 5 * estimates.std() / len(estimates) ** 0.5
bounds = np.array([result[:2] for result in results.values()])
assert abs(bounds[0, 0] - bounds[1, 0]) < 5 * np.hypot(*bounds[:, 1])
assert bounds[:, 0].max() < 0.95 * coins and 1 < results["analytic_kl"][2] < 15
assert losses[0] > 500 and losses[len(losses) // budget.epochs :].mean() < coins

# %% [markdown]
# ## Generate: look at the mean and at a draw
#
# To generate, draw $z$ from the prior and decode it. What comes out is a distribution over images. Most tutorials show
# its mean and call it a sample. A sample of the model is a *draw*.

# %% alt="Three rows of generated digits: smooth grey means, speckled binary draws from the same codes, and the means cut at one half"
tf.random.set_seed(runtime.SEED)
generated = decoder(prior.sample(2_000))
mean, draw = generated.mean().numpy(), generated.sample().numpy()
plots.compare_rows(
    {"mean of p(x|z)": mean[:12], "draw from p(x|z)": draw[:12], "mean > 0.5": data.binarise(mean[:12])},
    title="One code a column. The draw shows what the model believes about single pixels",
)
plt.show()

# %% [markdown]
# The mean is grey where the model does not know. The draw flips a coin for every such pixel, independently of its
# neighbours, and you see speckle. Real digits have no speckle. That is a true statement about the model: given $z$, its
# pixels are independent. The smooth mean hides it.
#
# As a figure: the share of neighbouring pixels that differ.


# %%
def share_of_edges(images):
    """Mean absolute difference between horizontal neighbours; for binary images, the share of pairs that differ."""
    return float(np.mean(np.abs(np.diff(images, axis=2))))


edges = {"test images": binary_test, "draws": draw, "mean > 0.5": data.binarise(mean)}
edges = {name: share_of_edges(images) for name, images in edges.items()}
for name, share in edges.items():
    print(f"{name:12s} {share:.1%} of the horizontal neighbours differ")

# %% tags=["claim"]
assert set(np.unique(draw)) == {0.0, 1.0}
assert edges["draws"] > 1.2 * edges["test images"]
assert edges["mean > 0.5"] < 0.8 * edges["draws"]

# %% [markdown]
# ## Encode: look at the plane
#
# The encoder saw no labels. Colour the test images by their digit after the fact:

# %% alt="5,000 test digits in the latent plane, coloured by class: classes form regions, some separate, some overlapping, around the origin"
codes = encoder(binary_test[:5000]).mean().numpy()
labels = mnist.test_labels[:5000]
figure, axis = plt.subplots(figsize=(8, 7))
plots.latent_plane(axis, codes, labels, mnist.class_names, "Means of q(z|x) of test digits: regions, not clumps")
axis.set_aspect("equal")
plt.show()

# %% [markdown]
# Digits that look alike lie side by side. The cloud as a whole sits where the prior puts its draws: that is the KL's
# work. Two figures for the two statements: how well a vote among the nearest codes finds the digit, and the mean and the
# spread of the draws from all posteriors together, which should be those of the prior.

# %%
judge = KNeighborsClassifier(15).fit(codes[: len(codes) // 2], labels[: len(codes) // 2])
accuracy = judge.score(codes[len(codes) // 2 :], labels[len(codes) // 2 :])
all_draws = encoder(binary_test).sample().numpy()
print(f"digit found from its two numbers: {accuracy:.0%} (guessing: 10%)")
print("draws from all posteriors: mean", all_draws.mean(axis=0).round(2), "sd", all_draws.std(axis=0).round(2))

# %% tags=["claim"]
assert accuracy > 0.4
assert np.abs(all_draws.mean(axis=0)).max() < 0.5 and np.abs(all_draws.std(axis=0) - 1).max() < 0.5

# %% [markdown]
# ## Reconstruct
#
# Encode, draw, decode. Again there is a choice at each step, mean or draw. Here are the original, the decoded mean code,
# and the full path with both draws:

# %% alt="Three rows: ten test digits, the means decoded from their mean codes, blurred but mostly the same digit, and binary draws decoded from drawn codes"
originals = binary_test[one_of_each]
posterior = encoder(originals)
rows = {
    "original": originals,
    "mean, mean": decoder(posterior.mean()).mean().numpy(),
    "draw, draw": decoder(posterior.sample()).sample().numpy(),
}
plots.compare_rows(rows, title="Two numbers keep the shape of a digit, and lose its pen")
plt.show()

# %% [markdown]
# Some digits come back as a neighbour in the plane. How many nats does the right code save, compared with the code of
# somebody else's image?

# %%
own = decoder(encoder(binary_test[:2000]).sample())
own_nats = -own.log_prob(binary_test[:2000]).numpy()
other_nats = -own.log_prob(np.roll(binary_test[:2000], 1, axis=0)).numpy()
print(f"-log p(x|z): own code {own_nats.mean():.0f}, another image's code {other_nats.mean():.0f} nats per image")

# %% tags=["claim"]
saved = other_nats - own_nats
assert saved.mean() > 80 and np.mean(saved > 0) > 0.7

# %% [markdown]
# ## Let a layer add the KL
#
# TFP can do the bookkeeping for you. `KLDivergenceAddLoss` passes a distribution through, unchanged, and adds its KL from
# a prior to the model's loss. Then `compile` and `fit` are enough, without a loop of your own.
#
# To know whether that gives the ELBO, we want data whose $\log p(x)$ is known *exactly*. Let four hidden causes $u \sim
# \mathcal{N}(0, I)$ make twelve features, $x = W u + 0.5\,\varepsilon$. Then $x$ is normal with covariance $W W^\top +
# 0.25\,I$. Each cause moves $x$ in a direction of its own, by 3.5, 2.4, 1.6 and 0.8 for a unit of $u$: the last one is
# not much stronger than the noise.

# %%
strengths, noise_sd = np.array([3.5, 2.4, 1.6, 0.8]), 0.5
directions, _ = np.linalg.qr(rng.normal(size=(12, 4)))  # four orthogonal columns of length 1
loadings = directions * strengths
covariance = loadings @ loadings.T + noise_sd**2 * np.eye(12)
data_density = tfd.MultivariateNormalTriL(tf.zeros(12), np.linalg.cholesky(covariance).astype(np.float32))

points = data_density.sample(budget.points, seed=1).numpy()
test_points = data_density.sample(5_120, seed=2).numpy()
lowest = -float(tf.reduce_mean(data_density.log_prob(test_points)))
print(f"points {points.shape}; exact -log p(x) of the test points: {lowest:.2f} nats per point")

# %% [markdown]
# Now the published model: twelve features, four latent dimensions. The posterior is a normal with a full lower-triangular
# scale, so it needs $4 + 10 = 14$ parameters, which `params_size` tells you. The decoder is a normal for each feature,
# with a mean and a scale of its own.

# %%
standard_normal = tfd.Independent(tfd.Normal(tf.zeros(4), 1.0), reinterpreted_batch_ndims=1)


def make_point_decoder():
    hidden, parameters = layers.Dense(64, activation="relu"), layers.Dense(tfpl.IndependentNormal.params_size(12))
    return keras.Sequential([keras.Input((4,)), hidden, parameters, tfpl.IndependentNormal(12)])


def with_add_loss(prior, **options):
    """Encoder, decoder and the whole VAE, with the KL added by a layer of its own."""
    inputs = keras.Input((12,))
    hidden = layers.Dense(64, activation="relu")(inputs)
    parameters = layers.Dense(tfpl.MultivariateNormalTriL.params_size(4))(hidden)
    posterior = tfpl.MultivariateNormalTriL(4)(parameters)
    z = tfpl.KLDivergenceAddLoss(prior, **options)(posterior)
    encoder, decoder = keras.Model(inputs, z), make_point_decoder()
    return encoder, decoder, keras.Model(inputs, decoder(encoder.output))


def negative_log_likelihood(points, likelihood):
    return -likelihood.log_prob(points)


def compile_and_fit(model, batch_size=256):
    schedule = keras.optimizers.schedules.CosineDecay(5e-3, budget.fit_epochs * (len(points) // batch_size))
    model.compile(keras.optimizers.Adam(schedule, jit_compile=False), loss=negative_log_likelihood)
    model.fit(points, points, batch_size=batch_size, epochs=budget.fit_epochs, verbose=0)


# %%
encoder12, decoder12, model12 = with_add_loss(standard_normal)
print("parameters of the posterior:", tfpl.MultivariateNormalTriL.params_size(4))
compile_and_fit(model12)
printed = model12.evaluate(test_points, test_points, batch_size=256, verbose=0)
print(f"loss of the test points as Keras prints it: {printed:.3f} nats per point, exact -log p(x) {lowest:.3f}")

# %% [markdown]
# Close to the lowest possible value, and above it. But what *is* the printed number? Compute the bound yourself, with the
# analytic KL, and subtract it from the exact $\log p(x)$. The remaining gap is what the posterior misses, and it cannot
# be negative.

# %%
unit = tfd.MultivariateNormalDiag(tf.zeros(4))  # the same distribution as standard_normal, of a class TFP knows better


def true_bound(encoder, decoder, draws=10):
    """Test -ELBO, its gap to the exact -log p(x) and that gap's standard error, in nats per point; and the mean KL."""
    posterior = encoder(test_points)
    kl = tfd.kl_divergence(posterior, unit)
    log_likelihood = tf.reduce_mean([decoder(z).log_prob(test_points) for z in posterior.sample(draws)], axis=0)
    gap = data_density.log_prob(test_points) - (log_likelihood - kl)
    error = float(tf.math.reduce_std(gap)) / len(test_points) ** 0.5
    return lowest + float(tf.reduce_mean(gap)), float(tf.reduce_mean(gap)), error, float(tf.reduce_mean(kl))


bound, gap, error, kl = true_bound(encoder12, decoder12)
print(
    f"-ELBO {bound:.3f}, of which KL {kl:.2f}; {gap:.3f} +- {error:.3f} above the exact -log p(x); printed {printed:.3f}"
)

# %% tags=["claim"]
assert tfpl.MultivariateNormalTriL.params_size(4) == 14
assert model12(test_points[:5]).batch_shape == (5,) and model12(test_points[:5]).event_shape == (12,)
assert abs(printed - bound) < 0.15
assert 0 < gap + 5 * error and gap < 0.5

# %% [markdown]
# For this model the printed loss *is* the negative ELBO. With its default options the layer is right.
#
# ## Count how often the KL is counted
#
# You will not always have an exact answer to compare with. You do not need one. Keras keeps what the layers add in
# `model.losses`, and the KL can be computed beside it.
#
# ### Exercise 3: the factor
#
# Before you read on: write the function that calls `model` on `images` and returns the sum of its losses divided by the
# mean KL of `posterior_of(images)` from `prior`. A model whose loss is the negative ELBO gets a 1.


# %% tags=["exercise"]
def count_kl(model, images, posterior_of, prior):
    return 1.0  # your code here


checks.kl_factor(count_kl)

# %% [markdown]
# The version of this notebook calls the model many times, since the default KL is an estimate from one draw. Hence the
# `tf.function`: layers of distributions are slow outside a graph.


# %%
def kl_factors(model, encoder, points, calls=50):
    """What the model adds to its loss, over the mean KL of the points: one number a call."""

    @tf.function
    def added():
        model(points)
        return tf.add_n(model.losses)

    kl = tf.reduce_mean(tfd.kl_divergence(encoder(points), unit))
    return np.array([added() for _ in range(calls)]) / kl.numpy()


def mean_and_error(values):
    return values.mean(), values.std(ddof=1) / len(values) ** 0.5


factor, error = mean_and_error(kl_factors(model12, encoder12, test_points[:256]))
print(f"{len(model12.losses)} loss, factor {factor:.3f} +- {error:.3f}")

# %% tags=["claim"]
assert abs(factor - 1) < 5 * error and error < 0.05

# %% [markdown]
# ## Move the KL into a regularizer, and meet a factor of two
#
# There is a second way, often called an alternative to the first. Every Keras layer accepts an `activity_regularizer`, a
# function of the layer's output whose value is added to the loss. `KLDivergenceRegularizer` is such a function. The rest
# of the model stays as it was.


# %%
def with_regularizer(prior, **options):
    """The same model, with the KL as the activity regularizer of the posterior's layer."""
    inputs = keras.Input((12,))
    hidden = layers.Dense(64, activation="relu")(inputs)
    parameters = layers.Dense(tfpl.MultivariateNormalTriL.params_size(4))(hidden)
    regularizer = tfpl.KLDivergenceRegularizer(prior, **options)
    z = tfpl.MultivariateNormalTriL(4, activity_regularizer=regularizer)(parameters)
    encoder, decoder = keras.Model(inputs, z), make_point_decoder()
    return encoder, decoder, keras.Model(inputs, decoder(encoder.output))


regularized = with_regularizer(unit)
factor, error = mean_and_error(kl_factors(regularized[2], regularized[0], test_points[:256]))
print(f"{len(regularized[2].losses)} losses, factor {factor:.3f} +- {error:.3f}")

# %% [markdown]
# Two losses, and a factor of two. Why? A distribution layer of TFP hands Keras *two* outputs, the distribution and the
# draw that stands for it as a tensor. Keras regularizes every output of a layer. The regularizer finds the same
# distribution behind both, and adds its KL each time. This has been reported as
# [issue 1215](https://github.com/tensorflow/probability/issues/1215) of tensorflow/probability since 2021, and it is
# still open at the version used here.
#
# > **A common mistake.** Course notes call the regularizer an alternative to the layer. It is another model: a VAE whose KL
# > weighs 2. Nothing fails, and nothing warns you. `len(model.losses)` shows it.

# %% tags=["claim"]
assert len(regularized[2].losses) == 2 and len(model12.losses) == 1
assert abs(factor - 2) < 5 * error and error < 0.1

# %% [markdown]
# ## Turn every option, and measure what it multiplies
#
# Both take the same four options. `weight` multiplies. `use_exact_kl` asks for the analytic KL. `test_points_fn` says how
# to draw the points of the Monte-Carlo estimate, for instance 50 of them. And `test_points_reduce_axis` says over which
# axes of the points the mean is taken. Here the two differ in their defaults:

# %%
defaults = {}
for layer in (tfpl.KLDivergenceAddLoss, tfpl.KLDivergenceRegularizer):
    in_code = inspect.signature(layer.__init__).parameters["test_points_reduce_axis"].default
    text = layer.__init__.__doc__.partition("test_points_reduce_axis")[2]
    defaults[layer.__name__] = (re.search(r"Default value: `([^`]*)`", text).group(1), in_code)
    print(f"{layer.__name__:24s}documented default {defaults[layer.__name__][0]}, default in the code {in_code}")

# %% [markdown]
# For `KLDivergenceAddLoss` the documentation says `()`, take no mean, and the code says `None`, take the mean over all
# axes. The code is what runs.

# %% tags=["claim"]
assert defaults == {"KLDivergenceAddLoss": ("()", None), "KLDivergenceRegularizer": ("()", ())}

# %% [markdown]
# One option does not even run with the prior we started with. TFP has no closed form for a `MultivariateNormalTriL`
# against an `Independent` of scalar normals, although the prior is the same distribution as a `MultivariateNormalDiag`:

# %%
try:
    with_add_loss(standard_normal, use_exact_kl=True)
except NotImplementedError as error:
    print("Independent(Normal):", re.search(r"No KL.*? registered", str(error)).group(), "for this pair")
exact_model = with_add_loss(unit, use_exact_kl=True)
print("MultivariateNormalDiag: runs, factor", kl_factors(exact_model[2], exact_model[0], test_points[:256], 2).round(3))

# %% [markdown]
# It runs, and look at the number. 256 is the number of points in the batch. So measure them all: both layers, six
# settings, two batch sizes, $S = 50$ draws a point.

# %%
samples = 50


def many(posterior):
    return posterior.sample(samples)


settings = {
    "defaults (one draw)": {},
    "use_exact_kl=True": {"use_exact_kl": True},
    "S draws, default axis": {"test_points_fn": many},
    "S draws, axis ()": {"test_points_fn": many, "test_points_reduce_axis": ()},
    "S draws, axis 0": {"test_points_fn": many, "test_points_reduce_axis": 0},
    "S draws, axis None": {"test_points_fn": many, "test_points_reduce_axis": None},
}
makers = {"AddLoss": with_add_loss, "Regularizer": with_regularizer}

# %%
measured, built = {}, {}
print(f"{'':24s}" + "".join(f"{f'{name}, B={size}':>21s}" for name in makers for size in (256, 64)))
for setting, options in settings.items():
    for name, maker in makers.items():
        built[setting, name] = parts = maker(unit, **options)
        parts[0].set_weights(encoder12.get_weights())  # the trained encoder: its KL is not near zero
        for size in (256, 64):
            measured[setting, name, size] = mean_and_error(kl_factors(parts[2], parts[0], test_points[:size]))
    cells = [measured[setting, name, size] for name in makers for size in (256, 64)]
    print(f"{setting:24s}" + "".join(f"{f'{value:.4g} +- {error:.1g}':>21s}" for value, error in cells))

# %% [markdown]
# Compare the two columns of each layer. As the batch shrinks from 256 to 64, some entries stay, some shrink with it, and
# one grows. A weight that depends on the batch size is nobody's intention. In letters, with $B$ points in the batch:
#
# | option | `KLDivergenceAddLoss` | `KLDivergenceRegularizer` |
# |---|---|---|
# | defaults (one draw) | 1 | 2 |
# | `use_exact_kl=True` | $B$ | 2 |
# | $S$ draws, axis left at its default | 1 (`None`) | $2S$ (`()`) |
# | $S$ draws, axis `()` | $S B$ | $2S$ |
# | $S$ draws, axis 0 | $B$ | 2 |
# | $S$ draws, axis `None` | 1 | $2/B$ |
#
# Only three of the twelve entries are 1, and all three belong to `KLDivergenceAddLoss`. Every entry is measured above, and
# here each is held against its letter, within its own Monte-Carlo error:

# %% tags=["claim"]
B, S = np.array([256, 64]), samples
expected = {
    "defaults (one draw)": (1, 2),
    "use_exact_kl=True": (B, 2),
    "S draws, default axis": (1, 2 * S),
    "S draws, axis ()": (S * B, 2 * S),
    "S draws, axis 0": (B, 2),
    "S draws, axis None": (1, 2 / B),
}
for setting, row in expected.items():
    for name, factor in zip(makers, row, strict=True):
        for size, wanted in zip(B, np.broadcast_to(factor, 2), strict=True):
            value, error = measured[setting, name, size]
            assert abs(value - wanted) < 6 * error + 1e-4 * wanted, (setting, name, size)
            assert error < 0.05 * wanted, "the measurement is too noisy to tell the entries apart"

# %% [markdown]
# ## Explain where each factor comes from
#
# All of it follows from three facts. Think of the Monte-Carlo estimate as a table with $S$ rows, one a draw, and $B$
# columns, one a point. In each cell stands $\log q(z|x) - \log p(z)$.
#
# 1. Both layers take the mean over the axes that you name. **Then they add up whatever is left**, to have one number for
#    Keras.
# 2. `AddLoss` hands this number to the loss as it is. Keras divides what an activity *regularizer* returns **by the batch
#    size**.
# 3. A distribution layer has two outputs, so the regularizer is **counted twice**.
#
# So the first column of the table is the number of cells that are left to add up, and the second column is $2/B$ times the
# first wherever the two take the mean over the same axis. By default they do not: it is `None` in one and `()` in the
# other. The exact KL is one row of $B$ numbers, and no mean is taken at all.

# %%
exact = tfd.kl_divergence(encoder12(test_points[:64]), unit).numpy()
posterior = encoder12(test_points[:64][np.argsort(exact)])  # the same points, sorted by their KL
exact = np.sort(exact)
z = posterior.sample(samples)
table = (posterior.log_prob(z) - unit.log_prob(z)).numpy()  # (samples, points)
sums = {"axis ()": table.sum(), "axis 0": table.mean(axis=0).sum(), "exact": exact.sum(), "axis None": table.mean()}

# %% alt="A heat map with 50 rows, the draws, and 64 columns, the points, of log q minus log p. Beside it the column means, with the exact KL of each point as a rising line through them. Right: bars on a logarithmic axis, with the sum for each choice of axis: all cells, one row, one mean"
figure, axes = plt.subplots(1, 3, figsize=(14, 4.4), width_ratios=(1.25, 1.25, 1))
shown = axes[0].imshow(table, aspect="auto", cmap="cividis")
figure.colorbar(shown, ax=axes[0], label="nats")
axes[0].set(xlabel="point, sorted (B = 64)", ylabel="draw (S = 50)", title="log q(z|x) − log p(z)")
axes[1].plot(table.mean(axis=0), "o", ms=5, color=plots.ORANGE, label="mean over axis 0")
axes[1].plot(exact, lw=1.5, color=plots.BLUE, label="exact KL")
axes[1].set(xlabel="point, sorted (B = 64)", ylabel="nats", title="One row is left: B numbers")
axes[1].legend(fontsize=11)
bars = axes[2].barh(list(sums), list(sums.values()), color=[plots.ORANGE, plots.ORANGE, plots.BLUE, plots.GREEN])
axes[2].bar_label(bars, [f" {value:,.0f} = {value / exact.mean():,.0f} x KL" for value in sums.values()], fontsize=11)
axes[2].set(xscale="log", xlabel="sum of what is left (nats)", title="What AddLoss adds", xlim=(1, 4e7))
axes[2].invert_yaxis()
plt.show()

# %% [markdown]
# Left: the full table. Middle: after a mean over the draws one row is left, and it follows the exact KL of each point.
# Right: the four sums. The lowest bar is the mean KL of a point, the only one that belongs beside a likelihood that
# Keras averages over the batch.

# %% tags=["claim"]
for setting in list(settings)[3:]:  # the rows in which both layers use the same axis
    for size in (256, 64):
        (added, add_error), (regular, regular_error) = (measured[setting, name, size] for name in makers)
        ratio_error = np.hypot(add_error / added, regular_error / regular)
        assert abs(regular / added * size / 2 - 1) < 6 * ratio_error + 1e-4
assert abs(sums["axis 0"] / sums["exact"] - 1) < 0.1

# %% [markdown]
# And `weight`? It multiplies the number before it is handed over. One published example sets `weight=10`, ten draws and
# axis 0. You can now say what that counts: the KL times $10 B$. And you can undo a factor that you know:


# %%
def ten(posterior):
    return posterior.sample(10)


published_options = {"weight": 10, "test_points_fn": ten, "test_points_reduce_axis": 0}
weighted = {
    "published example": (with_add_loss, published_options),
    "AddLoss, exact, weight 1/256": (with_add_loss, {"use_exact_kl": True, "weight": 1 / 256}),
    "Regularizer, exact, weight 1/2": (with_regularizer, {"use_exact_kl": True, "weight": 0.5}),
}
of_weights = {}
print(f"{'':32s}{'B=256':>10s}{'B=64':>10s}")
for name, (maker, options) in weighted.items():
    parts = maker(unit, **options)
    parts[0].set_weights(encoder12.get_weights())
    of_weights[name] = [kl_factors(parts[2], parts[0], test_points[:size]).mean() for size in (256, 64)]
    print(f"{name:32s}" + "".join(f"{value:10.2f}" for value in of_weights[name]))

# %% [markdown]
# The last two are ways to use an analytic KL in `fit`. The weight 1/256 is right for batches of 256 and for no others, so
# drop the remainder. The weight 1/2 does not depend on the batch, but it is wrong on the day the issue is fixed. A loop of
# your own has neither problem.

# %% tags=["claim"]
published, addloss, regularizer = of_weights.values()
np.testing.assert_allclose(published, [2560, 640], rtol=0.1)
np.testing.assert_allclose(addloss, [1, 0.25], rtol=1e-4)
np.testing.assert_allclose(regularizer, [1, 1], rtol=1e-4)

# %% [markdown]
# ## Catch all of it with one line
#
# Call the model once on a batch, and compare the sum of its losses with the mean KL. The tolerance leaves room for the
# noise of a single draw; the errors are factors of two and more.


# %%
def assert_elbo(model, encoder, points, prior):
    model(points)
    np.testing.assert_allclose(sum(model.losses), np.mean(tfd.kl_divergence(encoder(points), prior)), rtol=0.3)


verdicts = {}
for (setting, name), (encoder_now, _, model_now) in built.items():
    try:
        assert_elbo(model_now, encoder_now, test_points[:256], unit)
        verdicts[setting, name] = "passes"
    except AssertionError:
        verdicts[setting, name] = "FAILS"
for setting in settings:
    print(f"{setting:24s}" + "".join(f"{name}: {verdicts[setting, name]:10s}" for name in makers).rstrip())

# %% [markdown]
# It fails nine times out of twelve, and passes exactly where the factor is 1. Two conditions. Use a batch of the size that
# you train with: on a batch of one point, $B$ is 1, and the line sees nothing. And run it *before* the training, on
# weights that are not special. You will see in a moment why.

# %% tags=["claim"]
passing = [key for key, verdict in verdicts.items() if verdict == "passes"]
assert passing == [(s, "AddLoss") for s in ("defaults (one draw)", "S draws, default axis", "S draws, axis None")]
assert_elbo(exact_model[2], exact_model[0], test_points[:1], unit)  # one point: the factor B is there, and is 1

# %% [markdown]
# ## See what a wrong factor does to a trained model
#
# Three models, the same data, the same number of epochs: a factor of 1, the regularizer's 2, and the 256 of
# `use_exact_kl=True`. After the training we print what Keras prints, and then measure the true bound of each.

# %%
trained = {"factor 1": (encoder12, decoder12, model12)}
for name, parts in {
    "factor 2": with_regularizer(unit),
    "factor B = 256": with_add_loss(unit, use_exact_kl=True),
}.items():
    compile_and_fit(parts[2])
    trained[name] = parts

report, decoder_noise = {}, {}
print(f"{'':16s}{'Keras prints':>13s}{'true -ELBO':>12s}{'above exact':>16s}{'mean KL':>9s}{'noise of x':>12s}")
for name, (encoder_now, decoder_now, model_now) in trained.items():
    printed = model_now.evaluate(test_points, test_points, batch_size=256, verbose=0)
    report[name] = (printed, *true_bound(encoder_now, decoder_now))
    decoder_noise[name] = float(tf.reduce_mean(model_now(test_points).stddev()))
    bound, gap, error, kl = report[name][1:]
    print(f"{name:16s}{printed:13.2f}{bound:12.2f}{gap:8.2f} +- {error:.2f}{kl:9.2f}{decoder_noise[name]:12.2f}")

# %% [markdown]
# All figures are nats per point, except the last: the standard deviation that the decoder ascribes to a feature. In the
# data it is 0.5.
#
# With the factor 2 the printed number is off by a whole KL. The model itself is worse too, by the difference in the third
# column. Information was sold at twice the price, so it bought less, and what it did not encode it calls noise.
#
# With the factor 256 the printed number is close to the bound again, and that is the trap. There is next to no KL left
# that could be counted too often. The encoder has given up: its posterior is the prior for every point, and $z$ says
# nothing about $x$. On this model the one line would compare nothing with nothing. That is why you run it before the
# training.

# %% tags=["claim"]
one, two, all_of_them = report.values()
assert abs(two[0] - two[1] - two[4]) < 0.15, "twice: the printed loss is the bound plus one more KL"
assert two[2] > one[2] + 5 * np.hypot(one[3], two[3]) and two[4] < one[4]
assert all_of_them[4] < 0.05 and abs(all_of_them[0] - all_of_them[1] - 255 * all_of_them[4]) < 0.3
assert all_of_them[2] > 2 * two[2]
assert abs(decoder_noise["factor 1"] - noise_sd) < 0.08 < decoder_noise["factor 2"] - noise_sd
assert decoder_noise["factor 2"] < decoder_noise["factor B = 256"] - 0.3

# %% [markdown]
# What do their draws look like? Draw $z$ from the prior and $x$ from the decoder, 20,000 times, and compare the
# covariance of the twelve features with the true one.

# %% alt="Four 12 by 12 covariance matrices. The true one and those of the models with factor 1 and 2 show the same pattern of positive and negative blocks; with factor 256 only the diagonal is left"
covariances = {"the data (exact)": covariance}
for name, (_, decoder_now, _) in trained.items():
    covariances[name] = np.cov(decoder_now(unit.sample(20_000)).sample().numpy().T)
largest = np.abs(covariance).max()
figure, axes = plt.subplots(1, 4, figsize=(14, 4))
for axis, (name, matrix) in zip(axes, covariances.items(), strict=True):
    shown = axis.imshow(matrix, cmap="RdBu_r", vmin=-largest, vmax=largest)
    axis.set(title=name, xlabel="feature", xticks=[0, 5, 11], yticks=[0, 5, 11])
axes[0].set_ylabel("feature")
figure.colorbar(shown, ax=axes[-1], label="covariance")
figure.suptitle("Covariance of generated points: the batch-sized weight loses everything off the diagonal")
plt.show()

# %%
eigenvalues = {name: np.linalg.eigvalsh(matrix)[::-1] for name, matrix in covariances.items()}
for name, values in eigenvalues.items():
    wrong = np.linalg.norm(covariances[name] - covariance) / np.linalg.norm(covariance)
    print(
        f"{name:18s}eigenvalues {', '.join(f'{value:5.2f}' for value in values[:6])}, ...   relative error {wrong:.0%}"
    )

# %% [markdown]
# Four causes make four large eigenvalues, and the noise makes the other eight, 0.25 each. The first model has all of
# them. In the second, the weakest cause is hard to tell from the noise, which has risen to meet it. In the third
# no direction is special: each feature has its right variance, and no two of them have anything to do with each other.

# %% tags=["claim"]
np.testing.assert_allclose(eigenvalues["the data (exact)"][:4], strengths**2 + noise_sd**2, rtol=1e-4)
step_down = {name: values[3] - values[4] for name, values in eigenvalues.items()}  # from the weakest cause to the noise
assert step_down["factor 1"] > 1.5 * step_down["factor 2"]
assert eigenvalues["factor 2"][4] > 1.5 * eigenvalues["factor 1"][4]
off_diagonal = ~np.eye(12, dtype=bool)
left = {name: np.sqrt(np.mean(matrix[off_diagonal] ** 2)) for name, matrix in covariances.items()}
assert left["factor B = 256"] < 0.15 * left["the data (exact)"] < 0.15 * 1.3 * left["factor 2"]
np.testing.assert_allclose(np.diag(covariances["factor B = 256"]), np.diag(covariance), rtol=0.2)

# %% [markdown]
# ### See the same on digits
#
# The loop that you wrote takes a `kl_weight`. Train the digit model twice more, with 2 and with the batch size, 64:

# %%
digit_models, digit_losses = {1: (encoder, decoder)}, {1: losses}
for weight in (2, 64):
    digit_models[weight] = (make_encoder(), make_decoder())
    digit_losses[weight], _ = train(*digit_models[weight], train_images, budget.epochs, kl_weight=float(weight))

digit_report = {weight: evaluate(*parts, binary_test) for weight, parts in digit_models.items()}
printed = {weight: values[-200:].mean() for weight, values in digit_losses.items()}
for weight, (bound, error, kl) in digit_report.items():
    print(
        f"KL weight {weight:2d}: printed loss {printed[weight]:.1f}, "
        f"true -ELBO {bound:.1f} +- {error:.1f}, of which KL {kl:.3f} nats per image"
    )

# %% tags=["front-factors"] alt="Means of generated digits from three models. With KL weights 1 and 2 different digits; with 64 the same grey blot in every place"
z = prior.sample(12)
plots.compare_rows(
    {f"KL weight {weight}": decoder_now(z).mean().numpy() for weight, (_, decoder_now) in digit_models.items()},
    title="The same twelve codes in three models. The last one does not listen to z",
)
plt.show()

# %% [markdown]
# The weight of 2 is hard to see and easy to measure: the KL falls, and the printed loss is no longer the negative ELBO
# but a looser bound, above it by one KL. (It is printed for training images, the bound is that of the test set: a nat or
# two between them is normal.) The batch-sized weight turns every code into the average digit, at the price of a coin for
# each pixel. A VAE that generates one blurred image for every $z$ is the usual symptom of a KL that is summed over the
# batch.

# %% tags=["claim"]
for weight, (bound, _, kl) in digit_report.items():
    assert abs(printed[weight] - (bound + (weight - 1) * kl)) < 0.4 * digit_report[2][2]
assert digit_report[64][2] < 0.05 and abs(digit_report[64][0] / coins - 1) < 0.05
assert digit_report[2][2] < digit_report[1][2] - 0.3 and digit_report[2][0] < 0.95 * coins
varied = {weight: decoder_now(z).mean().numpy().std(axis=0).mean() for weight, (_, decoder_now) in digit_models.items()}
assert varied[64] < 0.1 * varied[1] and varied[2] > 0.5 * varied[1]

# %% [markdown]
# ## Save the weights, and load them into a new model
#
# What is worth keeping of a trained model is a list of arrays. `save_weights` writes them to an HDF5 file, without any
# code. To load, build the model again from its source, and fill it.

# %%
# On its way to the arrays, Keras looks at each layer's settings and warns of TFP's own lambdas. It does not write them.
warnings.filterwarnings("ignore", message="The object being serialized includes a `lambda`")

folder = tempfile.TemporaryDirectory()
paths = {part: Path(folder.name) / f"{part}.weights.h5" for part in ("encoder", "decoder")}
encoder.save_weights(paths["encoder"])
decoder.save_weights(paths["decoder"])
for path in paths.values():
    print(path.name, f"{path.stat().st_size / 1000:.0f} kB")

new_encoder, new_decoder = make_encoder(), make_decoder()
before = new_encoder(originals)
new_encoder.load_weights(paths["encoder"])
new_decoder.load_weights(paths["decoder"])

# %% [markdown]
# "It loaded" is a sentence. Identical posterior parameters are a test, and so is a difference *before* the loading:

# %% tags=["claim"]
after, kept = new_encoder(originals), encoder(originals)
assert np.array_equal(after.mean(), kept.mean()) and np.array_equal(after.stddev(), kept.stddev())
assert not np.allclose(before.mean(), kept.mean())
codes_again = kept.mean()
assert np.array_equal(new_decoder(codes_again).mean(), decoder(codes_again).mean())

# %% [markdown]
# The same works for the model with an `AddLoss` layer, as a whole, in TensorFlow's checkpoint format too:

# %%
model12.save_weights(Path(folder.name) / "model12.weights.h5")
tf.train.Checkpoint(model=model12).write(str(Path(folder.name) / "model12.checkpoint"))
fresh = {}
for way in ("h5", "checkpoint"):
    encoder_now, _, model_now = with_add_loss(standard_normal)
    if way == "h5":
        model_now.load_weights(Path(folder.name) / "model12.weights.h5")
    else:
        restored = tf.train.Checkpoint(model=model_now).read(str(Path(folder.name) / "model12.checkpoint"))
        restored.assert_existing_objects_matched()
    fresh[way] = encoder_now(test_points[:5])
    print(f"{way:11s}mean of the first point {fresh[way].mean()[0].numpy().round(3)}")

# %% tags=["claim"]
for loaded in fresh.values():
    assert np.array_equal(loaded.mean(), encoder12(test_points[:5]).mean())
    assert np.array_equal(loaded.covariance(), encoder12(test_points[:5]).covariance())

# %% [markdown]
# ### See why the whole model is another matter
#
# `model.save` wants to write the program as well. Try it, with the model of twelve features and with the encoder of
# digits:

# %%
attempts = {"save the VAE with AddLoss": lambda: model12.save(Path(folder.name) / "model12.keras")}
attempts["save the digit encoder"] = lambda: encoder.save(Path(folder.name) / "encoder.keras")
attempts["load the digit encoder"] = lambda: keras.models.load_model(Path(folder.name) / "encoder.keras")
outcome = {}
for name, attempt in attempts.items():
    try:
        attempt()
        outcome[name] = "works"
    except (NotImplementedError, ValueError) as error:
        outcome[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:105]} ..."
    print(f"{name:26s}{outcome[name]}")

# %% [markdown]
# The first refuses, since the layer cannot write down a prior. The second writes, and the file cannot be read back. What
# it wrote for the function `to_posterior` is its bytecode, in a pickle. A pickle is a program that runs when it is
# opened. You can look at one without opening it:

# %%
config = json.loads(zipfile.ZipFile(Path(folder.name) / "encoder.keras").read("config.json"))
pickled = config["config"]["layers"][-1]["config"]["make_distribution_fn"]
instructions = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(base64.b64decode(pickled))]
calls = [name for name, _ in instructions].count("REDUCE")
words = [argument for name, argument in instructions if name == "SHORT_BINUNICODE"]
print(f"{len(instructions)} instructions, {calls} of them call a function; the first words: {', '.join(words[:4])}")

# %% [markdown]
# So `load_model` is right to refuse, and its message offers `safe_mode=False`. Do not take the offer for a file that you
# did not write yourself. Even for your own it is a poor archive, because bytecode belongs to one version of Python.
# Weights in a file and the program in version control have neither problem.

# %% tags=["claim"]
assert outcome["save the VAE with AddLoss"].startswith("NotImplementedError")
assert outcome["save the digit encoder"] == "works" and "safe_mode" in str(keras.models.load_model.__doc__)
assert outcome["load the digit encoder"].startswith("ValueError")
assert calls > 0 and "CodeType" in words and "to_posterior" in words
assert pickled[:60].encode() not in paths["encoder"].read_bytes()
folder.cleanup()

# %% [markdown]
# ## In this notebook we saw
#
# - Say every distribution as batch shape and event shape. Densities and divergences sum over the event, the loss averages
#   over the batch.
# - The analytic and the Monte-Carlo KL agree within the Monte-Carlo error, before and after the training.
# - Cross-entropy on grey pixels has a floor. On binary pixels it is a likelihood, as long as ink is a 1.
# - `KLDivergenceAddLoss` is right at its defaults. With an exact KL, or a mean over the draws alone, it counts the KL once
#   for every image in the batch, and the model forgets its latent variable.
# - `KLDivergenceRegularizer` counts twice at its defaults.
# - Compare `sum(model.losses)` with the mean of `tfd.kl_divergence(posterior, prior)` before you train. Save weights, not
#   programs.
#
# Next: [lesson 05](05_fashion_mnist_vae.ipynb), a convolutional VAE on garments, and the film of its training.
#
# ## Test yourself
#
# Run the cell and click on an answer: it tells you whether it is right, and why.

# %% tags=["self-test"]
selftest.ask("04")

# %% [markdown]
# ## Sources and further reading
#
# - D. P. Kingma, M. Welling, [Auto-Encoding Variational Bayes](https://arxiv.org/abs/1312.6114), 2013.
# - J. V. Dillon and others, [TensorFlow Distributions](https://arxiv.org/abs/1711.10604), 2017: batch shape, event shape,
#   and the distributions used here.
# - R. Salakhutdinov, I. Murray, [On the Quantitative Analysis of Deep Belief
#   Networks](https://doi.org/10.1145/1390156.1390266), 2008: the digits binarised by drawing.
# - G. Loaiza-Ganem, J. P. Cunningham, [The continuous Bernoulli](https://arxiv.org/abs/1907.06845), 2019: what grey pixels
#   need.
# - [Issue 1215 of tensorflow/probability](https://github.com/tensorflow/probability/issues/1215): the regularizer that
#   counts twice.
# - Y. LeCun, C. Cortes, C. J. C. Burges, MNIST: the digits.

# %% [markdown] tags=["solution"]
# ---
# ## Solutions
#
# Collapsed. Click on the dots of a cell to see its code; what it prints is the verdict of the check.


# %% tags=["solution"] jupyter={"source_hidden": true}
def draw_binary(images, rng):
    """A pixel of grey level g is larger than a uniform number with probability g."""
    return (rng.random(images.shape) < images / 255).astype(np.float32)


checks.binarise(draw_binary)


# %% tags=["solution"] jupyter={"source_hidden": true}
def batch_negative_elbo(vae, images):
    """Pixels and latent dimensions are summed by the distributions; the batch is averaged last."""
    posterior = vae.encoder(images)
    log_likelihood = vae.decoder(posterior.sample()).log_prob(images)
    return tf.reduce_mean(tfd.kl_divergence(posterior, vae.prior) - log_likelihood)


checks.negative_elbo(batch_negative_elbo)


# %% tags=["solution"] jupyter={"source_hidden": true}
def count_kl(model, images, posterior_of, prior):
    """The call comes first: before it, `model.losses` belongs to other images."""
    model(images)
    return sum(model.losses) / tf.reduce_mean(tfd.kl_divergence(posterior_of(images), prior))


checks.kl_factor(count_kl)
