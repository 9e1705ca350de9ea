# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 · Avatars at 256x256: a VAE with 200 latent dimensions
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/vae-course/vae-course/blob/main/notebooks/06_cartoon_set.ipynb)
#
# ![A walk from one avatar to another: hair, skin and glasses change on the way](figures/06_walk.gif)
#
# These images have 196,608 numbers each. The formulas stay the same. What changes is which constants you can get away
# with, how long you have to wait, and what you must draw from.

# %% [markdown]
# **You will do**
# - watch a VAE begin to learn avatars of 256x256 pixels, with principal components as the yardstick;
# - put the published loss beside a calibrated one, from several starts;
# - load weights trained for longer, and give them a prior from which whole faces come;
# - add glasses to a face, change its hair and skin, and walk from one avatar to another.
#
# **You will learn**
# - what a factor of 1000 in front of the squared error claims about an image of this size;
# - why good reconstructions and bad draws go together, and what to do about it;
# - how to test that a direction in latent space means what you think it means.
#
# **You need** lesson [05](05_fashion_mnist_vae.ipynb), or a VAE that you have trained yourself.
#
# **Time:** 12 to 20 minutes of computing at the `laptop` budget on two cores, and three hours of study. `full` downloads
# 10,000 avatars (450 MB) and wants a GPU.

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

budget = runtime.start("06")

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras
from matplotlib_inline.backend_inline import set_matplotlib_formats
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from course_utils import (
    animation,
    checks,
    data,
    drawn,
    explorer,
    metrics,
    models,
    networks,
    plots,
    precision,
    pretrained,
    selftest,
    training,
)

set_matplotlib_formats("jpeg", pil_kwargs={"quality": 62})  # as PNG the pictures would take five times the space
tfb, tfd, layers = tfp.bijectors, tfp.distributions, keras.layers
rng = np.random.default_rng(runtime.SEED)

# %% [markdown]
# ## Meet the avatars
#
# The course looks for Cartoon Set in your data folder, then in its cache; if there is none, it draws avatars in code. Only
# `full` downloads. Images are put on white, scaled to 256x256 once, and kept on disk as raw pixels. A tenth is held out, by
# file name.

# %% tags=["claim"] alt="Forty avatars in four rows, with many hair styles, skin tones, glasses and beards"
download = f"{budget.download_thousands}k" if budget.download_thousands else None
avatars = data.load_cartoonset(download=download, limit=budget.images)
plots.label_source(avatars)
print(avatars)

train_images, test_images = avatars.train_images, avatars.test_images
print(train_images)
assert train_images.shape[1:] == (256, 256, 3) and train_images.dtype == np.uint8
assert not set(avatars.train) & set(avatars.test)
assert 0.05 < len(test_images) / len(avatars.images) < 0.15

plots.show_images(test_images[:40], columns=10, size=1.25, title="Forty of the avatars that no model here trains on")

# %% [markdown]
# An avatar is a handful of choices, here drawn in code. The logarithm of how many there are says what it takes at most to
# name one: 28 nats.

# %% tags=["claim"] alt="One drawn face and eighteen variants of it, each differing in one factor such as hair, glasses or eye colour"
base = {name: 0 for name in drawn.AVATAR_FACTORS} | {"hair": 2, "hair_color": 2, "face_color": 3, "eye_color": 3}
changed = [drawn.avatar(base)]
for name, categories in drawn.AVATAR_FACTORS.items():
    with_glasses = {"glasses": 2} if name == "glasses_color" else {}
    changed.append(drawn.avatar(base | with_glasses | {name: (base[name] + len(categories) // 2) % len(categories)}))
titles = ["base", *(name.replace("_", " ") for name in drawn.AVATAR_FACTORS)]
faces = np.stack(changed)[:, 56:232, 40:216]  # the middle: seven of the factors change few pixels
plots.show_images(faces, titles, columns=7, size=1.75, title="One factor changed at a time, drawn in code")

number_of = np.array([len(values) for values in drawn.AVATAR_FACTORS.values()])
print(f"{len(number_of)} factors, {np.prod(number_of, dtype=float):.1e} avatars, {np.log(number_of).sum():.0f} nats")
assert len(number_of) == 18 and abs(np.log(number_of).sum() - 28) < 0.5

# %% [markdown]
# ## Compute what "times 1000" claims
#
# The published loss is $1000\,\mathrm{MSE} + \mathrm{KL}$, on 28x28 and on 256x256 alike. Lesson 05 read the constant
# as a choice of variance: $D / (2\sigma^2) = 1000$. Now $D$ has grown by a factor of 251, and the variance with it.

# %% tags=["claim"]
for name, shape in {"Fashion-MNIST": (28, 28, 1), "Cartoon Set": (256, 256, 3)}.items():
    pixels = np.prod(shape)
    variance = pixels / 2000
    print(f"{name:14s} D = {pixels:7,d}   variance {variance:7.3f}   standard deviation {variance**0.5:5.2f}")

dimensions = int(np.prod(train_images.shape[1:]))
published_variance = dimensions / 2000
assert dimensions == 196_608

# %% [markdown]
# Pixels run from 0 to 1. Add noise with the standard deviation that the model claims.

# %% alt="An avatar without noise, with noise of 0.08, of 0.63 and of 9.9; the face is gone in the last"
face = data.to_float(test_images[:1])[0]
noise = {
    "no noise": 0.0,
    "0.08, calibrated": 0.08,
    "0.63, as at 28x28": 0.63,
    "9.9, published": published_variance**0.5,
}
noisy = np.stack([face + sd * rng.standard_normal(face.shape) for sd in noise.values()])
plots.show_images(
    np.clip(noisy, 0, 1), list(noise), columns=4, size=2.6, title="What each likelihood takes for one image"
)

# %% [markdown]
# In nats it is worse. Suppose the model ignored the latent space and always answered with the mean image. How much could it
# gain by perfect reconstructions? Half the squared error over the variance, summed over pixels: 1000 times the variance of
# the data around their mean image.

# %% tags=["claim"]
sample = data.to_float(train_images[: min(500, len(train_images))])
mean_image = sample.mean(axis=0)
data_variance = np.mean((sample - mean_image) ** 2)
most = 0.5 * dimensions * data_variance / published_variance
print(f"variance around the mean image {data_variance:.4f}; all there is to gain: {most:.0f} nats per image")


def nats_lost(images, answers):
    """What the likelihood loses, by TFP, if the mean of a pixel is that of the answer and not the image's own."""
    pixel = tfd.Normal(0.0, published_variance**0.5)
    return float(tf.reduce_sum(pixel.log_prob(0.0) - pixel.log_prob(images - answers))) / len(images)


some, spoilt = sample[:20], face + 0.2 * (np.arange(dimensions) % 100 == 0).reshape(face.shape)
np.testing.assert_allclose(nats_lost(some, mean_image), 1000 * np.mean((some - mean_image) ** 2), rtol=0.01)
assert 50 < most < 80 if avatars.is_real else 25 < most < 50
np.testing.assert_allclose(nats_lost(face[None], spoilt[None]), 0.4, rtol=0.03)

# %% [markdown]
# A few dozen nats for everything in a picture. An attribute that changes one pixel in a hundred by a fifth of the range is
# worth 0.4 nats, and the KL charges for it. So the published loss keeps large things, and lets go of the rest.

# %% [markdown]
# ## Calibrate the likelihood
#
# Let the data choose. For a mean squared error $\mathrm{MSE}$, the negative log-likelihood of a
# Gaussian is
#
# $$\frac{D}{2} \left( \ln 2\pi\sigma^2 + \frac{\mathrm{MSE}}{\sigma^2} \right),$$
#
# and its derivative with respect to $\sigma^2$ vanishes at $\sigma^2 = \mathrm{MSE}$. The best variance *is* the mean
# squared error. Put it in, and the reconstruction term becomes $\frac{D}{2} \ln \mathrm{MSE}$ plus a constant.


# %% tags=["claim"]
def nats_of(error, variance):
    """The negative log-likelihood of an image whose mean squared error is known."""
    return 0.5 * dimensions * (np.log(2 * np.pi * variance) + error / variance)


error = 0.0065  # about that of the model at the end of this lesson: 0.005 on training images, 0.007 on held-out ones
variances = np.geomspace(1e-3, 1, 100_001)
best = variances[np.argmin(nats_of(error, variances))]
gain = nats_of(error, published_variance) - nats_of(error, best)
print(f"error {error}, best variance {best:.4f}")
print(f"the same picture under the published variance costs {gain:,.0f} nats more")
np.testing.assert_allclose(best, error, rtol=1e-3)
np.testing.assert_allclose(gain, 0.5 * dimensions * (np.log(published_variance / error) - 1), rtol=1e-3)
assert gain > 800_000

# %% [markdown]
# This is the main argument for calibrating: as densities of the same images, the two differ by more than 800,000 nats.
#
# During training the error falls, and the variance has to follow. `models.calibrated_gaussian_of` keeps it as a running mean
# of the squared errors. The gradient is that of $\frac{D}{2} \ln \mathrm{MSE}$: it weighs the squared error with
# $D / (2\,\mathrm{MSE})$, at an error of 0.0065 with fifteen million.

# %% [markdown]
# ## Set the yardstick: principal components
#
# Before any network, ask what a straight line can do. Project each avatar on the 200 leading principal components of the
# training images, as many numbers as our codes will have, and back. There are more pixels than images, so take
# the eigenvectors of the inner products between images.


# %%
def principal_components(images, number):
    """Mean image, directions in pixels as rows, and the variance of the images along each."""
    bytes_ = np.asarray(images[:]).reshape(len(images), -1)
    mean = bytes_.mean(axis=0, dtype=np.float64).astype(np.float32) / 255
    columns = [slice(i, i + 8192) for i in range(0, bytes_.shape[1], 8192)]
    centred = lambda part: bytes_[:, part].astype(np.float32) / 255 - mean[part]  # noqa: E731
    inner = sum(block @ block.T for block in map(centred, columns))
    values, vectors = np.linalg.eigh(inner.astype(np.float64) / len(images))
    values, vectors = values[::-1][:number], vectors[:, ::-1][:, :number]
    weights = (vectors / np.sqrt(len(images) * values)).astype(np.float32)
    return mean, np.concatenate([weights.T @ centred(part) for part in columns], axis=1), values


components = min(200, len(train_images) - 1)
mean_pixels, directions, spread = principal_components(train_images, components)
held_out = data.to_float(test_images[:])
test_scores = (held_out.reshape(len(held_out), -1) - mean_pixels) @ directions.T
print(f"{components} components; variance along the first {spread[0]:.0f}, along the last {spread[-1]:.2f}")

# %% [markdown]
# *Probabilistic* PCA makes a latent variable model of them (Tipping and Bishop, 1999): $z \sim N(0, I)$, a linear decoder
# and Gaussian pixels of variance $\sigma^2$. It is the linear VAE whose best weights, exact posterior and likelihood are
# known in closed form, at any $\sigma^2$. A direction along which the images vary by $\lambda$ is used only where
# $\lambda > \sigma^2$; then its posterior variance is $\sigma^2 / \lambda$, its KL $\frac12 \ln (\lambda / \sigma^2)$ on average, and
# the mean code shrinks it by $1 - \sigma^2 / \lambda$.


# %% tags=["claim"] alt="Rows: eight held-out avatars, their projection on 200 principal components, and what the best linear model keeps under the published variance: whole faces, their colours, no detail"
def in_pixels(scores):
    return np.clip(mean_pixels + scores @ directions[: scores.shape[1]], 0, 1).reshape(-1, 256, 256, 3)


used = spread > published_variance
shrink = np.where(used, 1 - published_variance / spread, 0).astype(np.float32)
linear_kl = 0.5 * np.log(spread[used] / published_variance).sum()
rebuilt = {
    f"PCA,\n{components}": in_pixels(test_scores),
    "best linear,\npublished": in_pixels(test_scores * shrink),
}
decibels = {name.replace("\n", " "): metrics.psnr(pictures, held_out) for name, pictures in rebuilt.items()}
decibels["mean image"] = metrics.psnr(np.broadcast_to(mean_image, held_out.shape), held_out)
for name, value in decibels.items():
    print(f"{name:22s} {value:5.2f} dB on held-out avatars")
print(f"published variance: {used.sum()} directions are used, KL {linear_kl:.1f} nats per image")
plots.compare_rows(
    {"held out": held_out[:8], **{name: pictures[:8] for name, pictures in rebuilt.items()}},
    title="What straight lines can do, and what the published constant leaves of it",
    size=1.35,
)
assert 10 <= used.sum() <= 17 and 5 < linear_kl < 12
assert decibels[f"PCA, {components}"] > decibels["best linear, published"] + 2 > decibels["mean image"] + 3

# %% [markdown]
# Whoever spends 200 numbers has to beat the upper row. The constant is not to blame for washed-out faces: its best linear
# model keeps hair, skin and whole heads. It uses a dozen directions and pays some ten nats for them.

# %% [markdown]
# ## Build the networks
#
# Five strided convolutions bring 256x256 down to 8x8. The encoder ends in 200 means and 200 log variances, and the
# decoder mirrors it with transposed convolutions. As in lesson 05, the biases that batch normalisation would subtract
# again are left out; the published networks have 512 of them.

# %% tags=["claim"]
latent_dim = 200


def normalised(layer):
    return [layer, layers.BatchNormalization(momentum=0.9), layers.LeakyReLU(0.3)]


def build_networks():
    encoder = keras.Sequential([keras.Input((256, 256, 3))], name="encoder")
    for filters in (32, 64, 64, 64, 64):
        for layer in normalised(layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)):
            encoder.add(layer)
    encoder.add(layers.Flatten())
    encoder.add(layers.Dense(2 * latent_dim, dtype="float32"))

    decoder = keras.Sequential([keras.Input((latent_dim,)), layers.Dense(8 * 8 * 64)], name="decoder")
    decoder.add(layers.Reshape((8, 8, 64)))
    for filters in (64, 64, 64, 32):
        for layer in normalised(layers.Conv2DTranspose(filters, 3, strides=2, padding="same", use_bias=False)):
            decoder.add(layer)
    decoder.add(layers.Conv2DTranspose(3, 3, strides=2, padding="same"))
    decoder.add(layers.Activation("sigmoid", dtype="float32"))
    return encoder, decoder


encoder_network, decoder_network = build_networks()
trainable = sum(
    int(np.prod(weight.shape)) for part in (encoder_network, decoder_network) for weight in part.trainable_weights
)
print("encoder:", encoder_network.output_shape, " decoder:", decoder_network.output_shape)
print(f"{trainable:,} trainable parameters")
assert encoder_network.output_shape == (None, 400) and decoder_network.output_shape == (None, 256, 256, 3)
left_out = sum(
    layer.filters
    for part in (encoder_network, decoder_network)
    for layer in part.layers
    if layer.name.startswith("conv") and not layer.use_bias
)
assert left_out == 512 and trainable + left_out == 2_723_411

# %% [markdown]
# The convolutions are small, and nearly all the work ([appendix A4](A4_scale.ipynb) counts it). `precision.using` measures
# whether bfloat16, half as wide as float32, is faster here. Weights, codes and losses stay float32.

# %% [markdown]
# ## Train, with a camera on held-out images
#
# The camera keeps three rows: six held-out avatars, reconstructed; six draws from the prior, always the same codes; and
# these draws moved to where the codes of real avatars are at that moment. In half of the images of an epoch
# left and right are exchanged.

# %% [markdown]
# ### Exercise 1: the covariance of the codes
#
# The third row needs it. You get the means and standard deviations of the posteriors of many images. A code is drawn in two
# steps: pick an image, then draw from its posterior, whose dimensions are independent. What is the covariance of such codes?


# %% tags=["exercise"]
def fitted_covariance(mean, sd):
    latent_dim = mean.shape[1]
    return np.zeros((latent_dim, latent_dim))  # your code here


checks.fitted_covariance(fitted_covariance)

# %% [markdown]
# ### Film it

# %%
with precision.using("auto") as number_type:
    yours_networks = build_networks()
print("layers compute in", number_type)

prior = models.standard_normal(latent_dim)
yours = models.VAE(
    models.posterior_of(yours_networks[0]), models.calibrated_gaussian_of(yours_networks[1], variance=0.1), prior
)


def decode(model, codes):
    """Pixel means of codes, in parts, so that 200 pictures need not lie in memory as float32 feature maps."""
    codes = np.asarray(codes, np.float32)
    return np.concatenate([model.decoder(codes[i : i + 50]).mean().numpy() for i in range(0, len(codes), 50)])


def encode(model, images):
    """Means and standard deviations of q(z|x): each of shape (number, latent_dim)."""
    parts = [model.encoder(data.to_float(images[i : i + 50])) for i in range(0, len(images), 50)]
    return [np.concatenate([getattr(part, name)() for part in parts]) for name in ("mean", "stddev")]


fixed_codes = rng.standard_normal((6, latent_dim)).astype(np.float32)


def scene(model):
    means, sds = encode(model, train_images[:200])
    spread = np.linalg.cholesky(np.cov(means.T) + np.diag(np.mean(sds**2, axis=0)))
    rows = [encode(model, test_images[:6])[0], fixed_codes, means.mean(axis=0) + fixed_codes @ spread.T]
    return plots.mosaic(decode(model, np.concatenate(rows))[:, ::3, ::3], columns=6)


camera = training.Snapshots(scene, every=budget.snapshot_every)

# %%
history = training.fit(
    yours,
    train_images,
    epochs=budget.epochs,
    peak_rate=1e-3,
    batch_size=budget.batch,
    callbacks=[camera],
    verbose=1,
    checkpoints=runtime.checkpoint_folder("06-calibrated"),  # goes on from here where it was cut off: appendix A4
    mirror=True,
)
print(f"standard deviation of a pixel: {float(yours.decoder.variance) ** 0.5:.3f}")

# %% tags=["film"] alt="Film of the training: six held-out avatars as reconstructed, six fixed draws from the prior, and the same draws from a fitted Gaussian"
frames = [
    animation.caption(frame, f"{when}: reconstructions, prior, fitted   {plots.source_note()}", 28)
    for frame, when in zip(camera.frames, camera.captions, strict=True)
]
film = animation.gif(frames, milliseconds=500, hold=3000, colours=48)
animation.save(film, "build/06_training.gif")
animation.show(film, alt="Reconstructions and fitted draws grow from a blur to faces; draws from the prior stay torn")

# %% [markdown]
# The upper row learns faces: the oval first, then skin and hair, then dark glasses. The middle row never settles into faces.
# The lower row comes from the same decoder at the same moment, and it does. Is it the likelihood that makes draws so bad?
#
# ## Put the two losses side by side
#
# A comparison wants equal training, and more than one start. The published loss, 1000 times a *mean* of squares, does not know
# the size of an image: shrink the avatars to 64x64 and it weighs the same picture with the same nats, in less time.
# `networks.image_vae_networks` builds the same family of layers, with three halvings in place of five.


# %%
def shrunk(pictures, side):
    """Pictures of any size made smaller, by the mean over squares."""
    pictures = np.asarray(data.to_float(pictures) if pictures.dtype == np.uint8 else pictures)
    factor = pictures.shape[1] // side
    return pictures.reshape(len(pictures), side, factor, side, factor, 3).mean(axis=(2, 4))


def in_parts(function, images, size=200):
    return np.concatenate([function(images[i : i + size]) for i in range(0, len(images), size)])


small_train = np.round(255 * in_parts(lambda part: shrunk(part, 64), train_images)).astype(np.uint8)
small_test = shrunk(held_out, 64)


def trained_at_64(likelihood, seed, prior=prior, build=networks.image_vae_networks):
    keras.utils.set_random_seed(seed)
    with precision.using(number_type):
        encoder, decoder = build((64, 64, 3), latent_dim)
    model = models.VAE(models.posterior_of(encoder), likelihood(decoder), prior)
    training.fit(model, small_train, epochs=budget.small_epochs, peak_rate=1e-3, batch_size=16, mirror=True)
    return model


likelihoods = {
    "published": lambda decoder: models.gaussian_of(decoder, 64 * 64 * 3 / 2000),
    "calibrated": models.calibrated_gaussian_of,
}
small_models = {
    (name, seed): trained_at_64(likelihood, seed)
    for name, likelihood in likelihoods.items()
    for seed in range(budget.starts)
}

# %% [markdown]
# Draws need a distance between *sets*. Shrink all to 32x32, take 30 principal components of the training avatars, and ask how
# far apart two clouds are, each taken for a Gaussian of its own mean and covariance: the Fréchet distance. Training avatars set
# the scale. It hardly sees blur, so sharpness stands beside it: the mean step from one pixel to the next, as a share of that of
# held-out avatars.

# %% tags=["claim"]
flat = in_parts(lambda part: shrunk(part, 32), small_train).reshape(len(small_train), -1)
centre, axes_ = flat.mean(axis=0), np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)[2][:30]


def features(pictures):
    return (shrunk(pictures, 32).reshape(len(pictures), -1) - centre) @ axes_.T


def distance(pictures, reference):
    return metrics.frechet_distance(features(pictures[: len(reference)]), reference)


def sharpness(pictures, reference):
    step = lambda images: np.abs(np.diff(np.asarray(images), axis=2)).mean()  # noqa: E731
    return step(pictures) / step(reference)


blurred = tf.nn.avg_pool2d(small_test, 3, 1, "SAME").numpy()
reference_64 = features(small_test)
print(
    f"training avatars {distance(small_train, reference_64):.1f}, sharpness {sharpness(small_train / 255, small_test):.2f}"
)
print(f"blurred held-out avatars {distance(blurred, reference_64):.1f}, sharpness {sharpness(blurred, small_test):.2f}")
assert distance(blurred, reference_64) < distance(small_train, reference_64)
assert sharpness(blurred, small_test) < 0.8


def gaussian_codes(mean, sd, number):
    """Draws from the Gaussian that has the mean and the covariance of the codes, as in exercise 1."""
    spread = np.linalg.cholesky(np.cov(mean.T) + np.diag(np.mean(sd**2, axis=0)))
    return mean.mean(axis=0) + rng.standard_normal((number, len(spread))) @ spread.T


def kl_to_prior(mean, sd):
    return np.sum(0.5 * (sd**2 + mean**2 - 1) - np.log(sd), axis=1)


def judged(model):
    """Decibels, KL, and the distance of draws from the prior and from a Gaussian fitted to the codes."""
    train_codes, (mean, sd) = encode(model, small_train), encode(model, small_test)
    number = len(small_test)
    sets = {
        "rebuilt": decode(model, mean),
        "from N(0, I)": decode(model, rng.standard_normal((number, latent_dim))),
        "from fitted": decode(model, gaussian_codes(*train_codes, number)),
    }
    row = {"dB": metrics.psnr(sets["rebuilt"], small_test), "KL": kl_to_prior(mean, sd).mean()}
    row |= {name: distance(sets[name], reference_64) for name in list(sets)[1:]}
    row["sharp"] = sharpness(sets["rebuilt"], small_test)
    return row, sets


def pca_at_64():
    """The same of principal components, as many as a code has dimensions; draws from the Gaussian of their scores."""
    mean, along, spread = principal_components(small_train, components)
    scores = (small_test.reshape(len(small_test), -1) - mean) @ along.T
    drawn_scores = np.random.default_rng(runtime.SEED).standard_normal(scores.shape) * np.sqrt(spread)
    back, draws = (np.clip(mean + z @ along, 0, 1).reshape(small_test.shape) for z in (scores, drawn_scores))
    row = {"dB": metrics.psnr(back, small_test), "from fitted": distance(draws, reference_64)}
    return row | {"sharp": sharpness(back, small_test)}


rows, pictures_of = {}, {}
for key, model in small_models.items():
    rows[key], pictures_of[key] = judged(model)


# %% tags=["claim"] alt="Rows: eight held-out avatars; for the published loss and the calibrated likelihood each, reconstructions, draws from N(0, I) and draws from a fitted Gaussian"
def spans(name, column):
    values = [rows[name, seed][column] for seed in range(budget.starts)]
    return min(values), max(values)


print(
    f"{budget.starts} starts each, least to largest"
    + " " * 10
    + "".join(f"{column:>18s}" for column in rows["published", 0])
)
for name in likelihoods:
    print(
        f"{name:34s}" + "".join(f"{'{:.1f} to {:.1f}'.format(*spans(name, column)):>18s}" for column in rows[name, 0])
    )
pca = pca_at_64()
print(
    f"{f'PCA, {components} components':34s}"
    + "".join(f"{f'{pca[c]:.1f}' if c in pca else '-':>18s}" for c in rows["published", 0])
)
plots.compare_rows(
    {"held out": small_test[:8]}
    | {f"{name},\n{kind}": pictures_of[name, 0][kind][:8] for name in likelihoods for kind in pictures_of[name, 0]},
    title="Two losses, equally long: reconstructions, and draws from two places",
    size=1.2,
)
assert spans("calibrated", "dB")[0] > spans("published", "dB")[1] + 1.5
assert spans("calibrated", "KL")[0] > 15 * spans("published", "KL")[1]
assert spans("calibrated", "from N(0, I)")[0] > spans("published", "from N(0, I)")[1]
near = 0.5 if avatars.is_real else 1.0  # drawn avatars are more alike
assert spans("calibrated", "from fitted")[1] < near * spans("published", "from N(0, I)")[0]
part = 0.2 if avatars.is_real and budget.name != "smoke" else 0.5
assert spans("calibrated", "from fitted")[1] < part * spans("calibrated", "from N(0, I)")[0]
if budget.name != "full":  # whose trainings are longer
    assert pca["dB"] > spans("calibrated", "dB")[1] + 1

# %% [markdown]
# What holds for every start: calibrated, reconstructions are better by decibels; from N(0, I) its draws are the worst of all;
# and from a Gaussian fitted to its own codes they are better than what the published loss draws from its prior. So the
# likelihood is not what makes draws bad. Where you draw is. In so few steps PCA rebuilds better than either.
#
# ## Load what patience has learned
#
# The course brings weights that were trained for longer, by `python -m course_utils.train`, on 1,782 avatars.

# %% tags=["claim"]
vae, card = pretrained.load("avatars"), pretrained.card("avatars")
known = pretrained.codes()
for name in ("what", "data", "credit", "command", "steps", "seconds", "cores"):
    print(f"{name:8s} {card[name]}")
calibrated_sd = float(vae.decoder.variance) ** 0.5
print(f"standard deviation of a pixel {calibrated_sd:.3f}; held-out avatars {card['held-out']['psnr']} dB")
if avatars.is_real and runtime.budget_name() != "smoke":
    rebuilt["course"] = decode(vae, encode(vae, test_images)[0])
    decibels["course"] = metrics.psnr(rebuilt["course"], held_out)
    print(
        f"on your {len(held_out)} held-out avatars {decibels['course']:.2f} dB, PCA {decibels[f'PCA, {components}']:.2f}"
    )
    assert decibels["course"] > decibels[f"PCA, {components}"] + 1.5
assert card["held-out"]["psnr"] > 21.4

# %% alt="Two curves against epochs on a logarithmic axis: decibels of held-out reconstructions climb past the line of PCA, and the distance of fitted draws falls towards that of training avatars"
past = card["history"]
epochs = [row["epoch"] for row in past]
figure, axes = plt.subplots(1, 2, figsize=(12, 4.2))
axes[0].semilogx(epochs, [row["psnr"] for row in past], marker="o", label="VAE, held-out avatars")
axes[0].axhline(card["held-out"]["PCA"], color=plots.ORANGE, linestyle="--", label="PCA with 200 components")
axes[0].set(xlabel="epochs of training", ylabel="PSNR (dB)", title="Reconstructions: patience passes PCA")
for density, marker in {"Gaussian": "s", "mixture": "^"}.items():
    axes[1].loglog(epochs, [row[density][0] for row in past], marker=marker, label=f"draws from a fitted {density}")
axes[1].axhline(card["held-out"]["training avatars"][0], color=plots.ORANGE, linestyle="--", label="training avatars")
axes[1].set(xlabel="epochs of training", ylabel="Fréchet distance", title="Draws: towards the distance of real avatars")
for axis in axes:
    axis.legend()
plt.show()

# %% [markdown]
# The first epochs buy most, and the last ones hardly pay: with 1,782 avatars, training and held-out error part.
#
# From here on the course's model answers, offline and at every budget, with stored codes.

# %% alt="25 held-out avatars, each with its reconstruction on the right: outlines, eyes, hair and glasses come back"
returned = decode(vae, known.test_mean[:25])
pairs, title = returned, "25 held-out avatars as the model returns them"
if avatars.is_real and "course" in decibels:
    pairs = np.concatenate([held_out[:25], rebuilt["course"][:25]], axis=2)
    title = "25 held-out avatars, each with its reconstruction on the right"
_, axis = plt.subplots(figsize=(11.5, 6.1))
axis.imshow(plots.mosaic(pairs[:, ::2, ::2], columns=5, gap=10))
axis.set_title(title)
axis.axis("off")
plt.show()

# %% [markdown]
# ## Find out where the codes went
#
# A standard normal in 200 dimensions lives on a shell: nearly all draws have a length close to $\sqrt{200} = 14.1$.
# Where do codes live?

# %% tags=["claim"] alt="Histograms of the length of codes: prior draws in a narrow peak at 14, codes of avatars to the right of it. Beside them the numbers of three dimensions, all wider than N(0, 1)"
train_mean, train_sd = known.train_mean, known.train_sd
test_mean, test_sd = known.test_mean, known.test_sd
train_codes = train_mean + train_sd * rng.standard_normal(train_mean.shape)
normal_codes = rng.standard_normal((budget.draws, latent_dim))
lengths = {
    "draws from the prior": np.linalg.norm(normal_codes, axis=1),
    "draws from q(z|x) of training avatars": np.linalg.norm(train_codes, axis=1),
}
spread = train_codes.std(axis=0)
figure, axes = plt.subplots(1, 2, figsize=(12, 4))
outline = {"density": True, "histtype": "step", "linewidth": 2}
for name, values in zip(("the prior", "q(z|x) of avatars"), lengths.values(), strict=True):
    axes[0].hist(values, 60, label=name, **outline)
axes[0].set(xlabel="length of z", ylabel="density", title="Codes are longer than draws from the prior")
for which in np.argsort(spread)[[0, latent_dim // 2, -1]]:
    axes[1].hist(train_codes[:, which], 60, label=f"{spread[which]:.1f}", **outline)
line = np.linspace(-12, 12, 300)
axes[1].plot(line, np.exp(-(line**2) / 2) / np.sqrt(2 * np.pi), color=plots.DARK, linestyle="--", label="N(0, 1)")
axes[1].set(xlabel="one number of z", xlim=(-12, 12), title="The narrowest, the middle and the widest dimension")
axes[0].legend(loc="upper right")
axes[1].legend(loc="upper left", title="standard deviation")
plt.show()
low, high = np.percentile(lengths["draws from the prior"], [1, 99])
inside = np.mean(
    (lengths["draws from q(z|x) of training avatars"] > low) & (lengths["draws from q(z|x) of training avatars"] < high)
)
print(f"{inside:.1%} of the codes are as long as 98% of the prior draws are")
assert inside < 0.01
assert spread.min() > 1.3 and 2 < np.median(spread) < 2.5

# %% [markdown]
# No dimension by itself is as narrow as N(0, 1). The KL was meant to prevent that. Take it
# apart. Averaged over the training images, with $q(z)$ for the mixture of all their posteriors (the *aggregate
# posterior*),
#
# $$\frac{1}{n} \sum_x \mathrm{KL}(q(z|x) \,\|\, p(z)) = I_q(x; z) + \mathrm{KL}(q(z) \,\|\, p(z)).$$
#
# The first part is the information that a code carries about which of the $n$ images it came from: at most $\ln n$. Hoffman and
# Johnson, 2016, call this *ELBO surgery*. The second part has parts again. With the mean $m$, the standard deviations $s$ and
# the correlation matrix $R$ of $q(z)$,
#
# $$\mathrm{KL}(q(z) \,\|\, N(0, I)) = \underbrace{\tfrac12 |m|^2}_{\text{shift}} + \underbrace{\tfrac12 \sum_i (s_i^2 - 1 - \ln s_i^2)}_{\text{scale}} \underbrace{- \tfrac12 \ln |R|}_{\text{correlation}} + \text{rest}.$$
#
# The *rest* is left to pay if the prior may be any Gaussian.

# %% tags=["claim"] alt="One horizontal bar for the KL of the course's model, split into information, shift, scale, correlation and the rest"
centre_of_codes = train_mean.mean(axis=0, dtype=np.float64)
covariance = np.cov(train_mean.T.astype(np.float64), bias=True) + np.diag(
    np.mean(train_sd.astype(np.float64) ** 2, axis=0)
)
scale = np.sqrt(np.diag(covariance))
parts = {
    "information": np.log(len(train_mean)),
    "shift": 0.5 * np.sum(centre_of_codes**2),
    "scale": 0.5 * np.sum(scale**2 - 1 - 2 * np.log(scale)),
    "correlation": -0.5 * np.linalg.slogdet(covariance / np.outer(scale, scale))[1],
}
paid = kl_to_prior(train_mean, train_sd).mean()
parts["rest"] = paid - sum(parts.values())
figure, axis = plt.subplots(figsize=(11, 2.2))
left = 0
for (name, nats), colour in zip(parts.items(), plots.COLOURS, strict=False):
    axis.barh(0, nats, left=left, color=colour, edgecolor="white", label=f"{name}: {nats:.0f}")
    left += nats
axis.set(yticks=[], xlabel="nats per image", title=f"A KL of {paid:.0f} nats: what it is paid for")
axis.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.35))
plt.show()
gaussian_nats = parts["shift"] + parts["scale"] + parts["correlation"]
one_per_cent = 0.5 * dimensions * np.log(1 / 0.99)
print(
    f"shift, scale and correlation: {gaussian_nats:.0f} of {paid:.0f} nats; one per cent of the error: {one_per_cent:.0f}"
)
assert min(parts.values()) > 0
assert parts["information"] < 0.01 * paid and gaussian_nats > 0.38 * paid
np.testing.assert_allclose(one_per_cent, nats_of(error, error) - nats_of(0.99 * error, 0.99 * error), rtol=1e-6)
assert 1 < paid / one_per_cent < 1.6

# %% [markdown]
# Information is a sliver. Shift, scale and correlation buy nothing: the last layer of the encoder and the first of the
# decoder could absorb them, and no picture would change. Only the KL has a slope along such a change, and an error that is
# smaller by one per cent is worth $\frac{D}{2} \ln \frac{1}{0.99}$, nearly a thousand nats. Whether training left them for
# that reason is not tested here. The rest says how empty the space is: 1,782 narrow posteriors in 200 dimensions do
# not fill a Gaussian.
#
# ## Fit a prior to the codes
#
# The codes are not where the prior is. Then let the prior come to the codes. Which prior has the least KL? $I_q(x; z)$ does not
# depend on it, so it is the one with $\mathrm{KL}(q(z) \,\|\, p(z)) = 0$: the aggregate posterior itself. Its price: it has a part for
# each training image, and draws codes of training images. So take something smaller that generalises. The smallest step is a
# Gaussian, fitted after the training, as Ghosh and others, 2020, do for autoencoders. Its covariance is that of exercise 1.

# %% [markdown]
# ### Predict, then run
#
# How many nats of KL are left on held-out avatars when the prior is the fitted Gaussian? The bars above were measured on
# training avatars.

# %%
guess = None  # your guess here, in nats per image

# %% tags=["claim"]
gaussian = tfd.MultivariateNormalTriL(
    centre_of_codes.astype(np.float32), np.linalg.cholesky(covariance).astype(np.float32)
)
posterior = tfd.MultivariateNormalDiag(test_mean, test_sd)
nats = {"N(0, I)": float(tf.reduce_mean(tfd.kl_divergence(posterior, prior)))}
nats["Gaussian"] = float(tf.reduce_mean(tfd.kl_divergence(posterior, gaussian)))
selftest.compare(guess, nats["Gaussian"], "KL of held-out avatars to the fitted Gaussian, in nats per image")
on_training = tfd.kl_divergence(tfd.MultivariateNormalDiag(train_mean, train_sd), gaussian)
np.testing.assert_allclose(tf.reduce_mean(on_training), paid - gaussian_nats, rtol=0.01)
assert nats["Gaussian"] < 0.65 * nats["N(0, I)"]

# %% [markdown]
# On the training images it is exactly the whole less shift, scale and correlation. On held-out images the bound is better too.
#
# ## Fit a mixture
#
# Codes are not spread like a bell. Bald heads and long hair are clusters, not the two ends of one. A mixture of
# Gaussians can follow them, in the 40 directions in which the codes vary most; along the other 160 the Gaussian stays. How
# many parts? As many as held-out codes like best.


# %% tags=["claim"] alt="Log density of training and of held-out codes against the number of parts: training keeps climbing, held-out codes have a maximum"
variances, axes_of_codes = (part[..., ::-1] for part in np.linalg.eigh(covariance))
leading = 40


def whitened(mean, sd):
    """A draw from each posterior, along the principal directions of the codes, in their standard deviations."""
    return (mean + sd * rng.standard_normal(mean.shape) - centre_of_codes) @ axes_of_codes / np.sqrt(variances)


white_train, white_test = whitened(train_mean, train_sd), whitened(test_mean, test_sd)
with threadpool_limits(1):  # small matrices, which threads only slow down
    mixtures = {
        number: GaussianMixture(number, random_state=runtime.SEED, reg_covar=1e-3).fit(white_train[:, :leading])
        for number in (1, 2, 4, 8, 12, 16, 24)
    }
scores = {number: fitted.score(white_test[:, :leading]) for number, fitted in mixtures.items()}
parts_chosen = max(scores, key=scores.get)
figure, axis = plt.subplots(figsize=(8, 4))
axis.plot(
    list(mixtures),
    [fitted.score(white_train[:, :leading]) for fitted in mixtures.values()],
    "s--",
    label="training codes",
)
axis.plot(list(scores), list(scores.values()), "o-", label="held-out codes")
axis.set(
    xlabel="parts of the mixture", ylabel="log density (nats)", title=f"Held-out codes choose {parts_chosen} parts"
)
axis.legend()
plt.show()
assert 4 <= parts_chosen <= 16 and scores[parts_chosen] > scores[1] + 8


# %% [markdown]
# Turned back to 200 dimensions it is a `tfd.MixtureSameFamily`, and could have been the prior from the start. There is no closed
# form of the KL to a mixture; the mean of $\ln q(z|x) - \ln p(z)$ over draws does it.

# %% tags=["claim"]
best = mixtures[parts_chosen]
unwhiten = axes_of_codes * np.sqrt(variances)
covariances = np.tile(np.eye(latent_dim), (parts_chosen, 1, 1))
covariances[:, :leading, :leading] = best.covariances_
locations = centre_of_codes + best.means_ @ unwhiten[:, :leading].T
mixture = tfd.MixtureSameFamily(
    tfd.Categorical(probs=best.weights_.astype(np.float32)),
    tfd.MultivariateNormalTriL(
        locations.astype(np.float32),
        np.linalg.cholesky(unwhiten @ covariances @ unwhiten.T).astype(np.float32),
    ),
)
draws = posterior.sample(20, seed=runtime.SEED)
nats["mixture"] = float(tf.reduce_mean(posterior.log_prob(draws) - mixture.log_prob(draws)))
closed_form = float(tf.reduce_mean(posterior.log_prob(draws) - gaussian.log_prob(draws)))
print(f"mixture of {parts_chosen} parts: {nats['mixture']:.0f} nats, the fitted Gaussian {nats['Gaussian']:.0f}")
assert abs(closed_form - nats["Gaussian"]) < 0.5, "the estimate from draws must agree with the closed form"
assert nats["mixture"] < nats["Gaussian"] - 10

# %% [markdown]
# ## Smooth the aggregate posterior
#
# The aggregate posterior knows nothing but the training images. Then blur it: make each training code the middle of a Gaussian
# with the covariance of all codes, times a width squared. (The middles move towards the centre, by $\sqrt{1 - w^2}$, so that
# the covariance of the whole stays.) At $w = 1$ it is the fitted Gaussian. Held-out avatars choose the width.


# %% tags=["claim"] alt="Nats of KL of held-out avatars against the width: a minimum between, worse at both ends"
def smoothed_log_density(codes, width):
    """Of whitened codes, under one Gaussian for each training code; back in nats of the codes themselves."""
    middles = np.sqrt(1 - width**2) * white_train
    squares = (codes**2).sum(axis=1)[:, None] + (middles**2).sum(axis=1) - 2 * codes @ middles.T
    parts_ = -0.5 * squares / width**2 - latent_dim * np.log(width) - 0.5 * latent_dim * np.log(2 * np.pi)
    return logsumexp(parts_, axis=1) - np.log(len(middles)) - 0.5 * np.log(variances).sum()


entropy = float(tf.reduce_mean(posterior.entropy()))
widths = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.999])
by_width = [-entropy - np.mean(smoothed_log_density(white_test, width)) for width in widths]
chosen_width = widths[np.argmin(by_width)]
nats[f"smoothed by {chosen_width}"] = min(by_width)
figure, axis = plt.subplots(figsize=(8, 3.6))
axis.plot(widths, by_width, marker="o", label="aggregate posterior, smoothed")
axis.axhline(nats["mixture"], color=plots.ORANGE, linestyle="--", label=f"mixture of {parts_chosen}")
axis.set(xlabel="width", ylabel="KL (nats per image)", title="Held-out avatars like it neither sharp nor flat")
axis.legend()
plt.show()
for name, value in nats.items():
    print(f"KL of held-out avatars to {name:16s} {value:6.0f} nats, {nats['N(0, I)'] - value:5.0f} saved")
assert 0.6 < chosen_width < 0.95 and abs(by_width[-1] - nats["Gaussian"]) < 2
assert min(by_width) < nats["Gaussian"] - 20

# %% tags=["claim"] alt="Six rows of eight: draws from N(0, I), torn; from the fitted Gaussian, faces with loose hair; from the mixture and from the smoothed aggregate posterior, whole faces; and the training avatars closest to the last"
narrow = 0.5


def smoothed_draws(width, number):
    picked = white_train[rng.integers(len(white_train), size=number)]
    noise = rng.standard_normal((number, latent_dim))
    return centre_of_codes + (np.sqrt(1 - width**2) * picked + width * noise) @ unwhiten.T


sources = {"N(0, I)": normal_codes}
sources |= {"Gaussian": gaussian.sample(budget.draws, seed=1), "mixture": mixture.sample(budget.draws, seed=1)}
sources |= {f"smoothed\nby {width}": smoothed_draws(width, budget.draws) for width in (chosen_width, narrow)}
smooth = list(sources)[-1]


def avatar_features(pictures):
    return (shrunk(pictures, 32).reshape(len(pictures), -1) - known.centre) @ known.components.T


def features_of(codes):
    return in_parts(lambda part: avatar_features(decode(vae, part)), np.asarray(codes))


drawn_faces = {name: decode(vae, codes[: 100 if name == smooth else 8]) for name, codes in sources.items()}
drawn_features = {name: features_of(codes) for name, codes in sources.items()}
closest = NearestNeighbors(n_neighbors=1).fit(known.train_features)
twins = closest.kneighbors(drawn_features[smooth][:8], return_distance=False)[:, 0]
plots.compare_rows(
    {name: pictures[:8] for name, pictures in drawn_faces.items()}
    | {"closest\ntraining\navatar,\nas rebuilt": decode(vae, train_mean[twins])},
    title="The same decoder, asked in five places",
    size=1.25,
)


def in_groups(features_of_many):
    """The mean distance of groups as large as the held-out set; one group alone is off by one or two."""
    picked = (rng.permutation(len(features_of_many))[: len(known.test_features)] for _ in range(50))
    return np.mean([metrics.frechet_distance(features_of_many[one], known.test_features) for one in picked])


distances = {name.replace("\n", " "): in_groups(points) for name, points in drawn_features.items()}
distances["training avatars"] = in_groups(known.train_features)
for name, value in distances.items():
    print(f"Fréchet distance to held-out avatars, {name:17s} {value:6.1f}")
followers = [value for name, value in distances.items() if name.startswith(("mixture", "smoothed"))]
assert distances["N(0, I)"] > 10 * distances["Gaussian"]
assert min(followers) < distances["Gaussian"] and max(followers) < 0.1 * distances["N(0, I)"]
assert min(followers) < 1.15 * distances["training avatars"] and max(followers) < 1.35 * distances["training avatars"]

# %% [markdown]
# Each picture is the mean of $p(x|z)$ at a code drawn from what stands beside its row. The distance no longer tells the best
# draws from training avatars; your eye does. Narrower than held-out nats would have it, faces are cleaner. Are they copies?
# Measure it with a control that must be caught.

# %% tags=["claim"] alt="A hundred draws from the smoothed aggregate posterior, not chosen: nearly all are whole faces of all kinds"
gaps = {
    "draws": closest.kneighbors(drawn_features[smooth])[0],
    "held-out avatars, as rebuilt": closest.kneighbors(features_of(test_mean))[0],
    "copies: training avatars, as rebuilt": closest.kneighbors(features_of(train_mean[:100]))[0],
}
for name, values in gaps.items():
    print(f"{name:37s} {np.median(values):.2f} from the closest training avatar, in the middle")
_, axis = plt.subplots(figsize=(13, 3.6))
axis.imshow(plots.mosaic(drawn_faces[smooth][:, ::3, ::3], columns=20, gap=3))
axis.set_title(f"The first hundred draws from the aggregate posterior, smoothed by {narrow}")
axis.axis("off")
plt.show()
near, held_out_gap, copied = (np.median(values) for values in gaps.values())
assert copied < 0.2 * held_out_gap, "the control must be caught"
assert near > 0.85 * held_out_gap

# %% [markdown]
# ## Learn the prior with the model
#
# The parameters of a mixture are variables like those of the networks, and the bound can train them all together. Tomczak and
# Welling, 2018, place the parts by the encoder, at learned images: *VampPrior*. Here is the plain mixture, at 64x64, beside
# the same VAE with N(0, I). For each the true bound: the reconstruction term and the KL to *its* prior, on held-out avatars.


# %% tags=["claim"]
def learnable_mixture(parts):
    start = np.random.default_rng(runtime.SEED).standard_normal((parts, latent_dim)).astype(np.float32)
    return tfd.MixtureSameFamily(
        tfd.Categorical(logits=tf.Variable(tf.zeros(parts), name="logits")),
        tfd.MultivariateNormalDiag(
            tfp.util.TransformedVariable(start, tfb.Scale(10.0)),  # larger steps: codes spread over tens
            tfp.util.TransformedVariable(tf.ones((parts, latent_dim)), tfb.Chain([tfb.Exp(), tfb.Scale(3.0)])),
        ),
    )


learned = trained_at_64(models.calibrated_gaussian_of, 0, prior=learnable_mixture(12))
plain = small_models["calibrated", 0]
small_codes = encode(plain, small_train)
small_fit = tfd.MultivariateNormalTriL(
    small_codes[0].mean(axis=0),
    np.linalg.cholesky(np.cov(small_codes[0].T) + np.diag(np.mean(small_codes[1] ** 2, axis=0))).astype(np.float32),
)
bounds = {}
for name, model, density in (
    ("N(0, I)", plain, prior),
    ("N(0, I), then a fitted Gaussian", plain, small_fit),
    ("a mixture, learned", learned, learned.prior),
):
    mean, sd = encode(model, small_test)
    q = tfd.MultivariateNormalDiag(mean, sd)
    z = q.sample(10, seed=runtime.SEED)
    kl = float(tf.reduce_mean(q.log_prob(z) - density.log_prob(z)))
    fits = np.mean([-model.decoder(draw).log_prob(small_test) for draw in z])
    far = distance(decode(model, density.sample(len(small_test), seed=runtime.SEED)), reference_64)
    bounds[name] = {"reconstruction": fits, "kl": kl, "negative ELBO": fits + kl, "distance": far}
    print(f"{name:32s} " + "  ".join(f"{part} {value:9.1f}" for part, value in bounds[name].items()))
assert bounds["a mixture, learned"]["kl"] < bounds["N(0, I)"]["kl"]
assert bounds["N(0, I), then a fitted Gaussian"]["negative ELBO"] < min(
    bounds[name]["negative ELBO"] for name in ("N(0, I)", "a mixture, learned")
)

# %% [markdown]
# In so few steps, learning the prior along saves part of the KL, and fitting afterwards far more: as long as codes move, a
# prior has to chase them. Dai and Wipf, 2019, train a second VAE on the codes.
#
# ## Put an autoencoder beside it
#
# Take the KL and the draws away: the same layers at 64x64, of which only the means are used, equally long, on the mean
# squared error. Then three ways to pick a code, for either model: uniformly between the bounds of the training codes, from
# N(0, I), from a Gaussian fitted to them.

# %% tags=["claim"] alt="Six rows of generated avatars: autoencoder and VAE, each from uniform, normal and fitted codes. Only fitted codes give whole and different faces"
keras.utils.set_random_seed(0)
with precision.using(number_type):
    ae_network, ae_decoder = networks.image_vae_networks((64, 64, 3), latent_dim)
ae_encoder = keras.Sequential([ae_network, layers.Lambda(lambda outputs: outputs[:, :latent_dim])])
autoencoder = keras.Sequential([ae_encoder, ae_decoder])
steps = budget.small_epochs * (len(small_train) // 16)
autoencoder.compile(training.adam(autoencoder, training.warmup_cosine(1e-3, steps)), "mse")
small_floats = data.to_float(small_train)
autoencoder.fit(small_floats, small_floats, epochs=budget.small_epochs, batch_size=16, verbose=0)

ae_codes = in_parts(lambda images: ae_encoder(images).numpy(), small_floats)
ae_rebuilt = in_parts(lambda images: autoencoder(images).numpy(), small_test)
print(f"autoencoder {metrics.psnr(ae_rebuilt, small_test):.2f} dB, VAE {rows['calibrated', 0]['dB']:.2f} dB, held out")


def uniform_codes(points, number):
    low, high = points.min(axis=0), points.max(axis=0)
    return low + rng.random((number, points.shape[1])) * (high - low)


number = len(small_test)
generated = {}
for name, points, sds, draw in (
    (
        "autoencoder",
        ae_codes,
        np.zeros_like(ae_codes),
        lambda z: in_parts(lambda part: ae_decoder(part).numpy(), np.float32(z)),
    ),
    ("VAE", *small_codes, lambda z: decode(plain, z)),
):
    generated[f"{name}\nuniform"] = draw(uniform_codes(points, number))
    generated[f"{name}\nnormal"] = draw(rng.standard_normal((number, latent_dim)))
    generated[f"{name}\nfitted"] = draw(gaussian_codes(points, sds + 1e-3, number))
plots.compare_rows(
    {name: pictures[:8] for name, pictures in generated.items()}, title="Where you draw decides what you get", size=1.2
)
generated_distance = {
    name.replace("\n", ", "): distance(pictures, reference_64) for name, pictures in generated.items()
}
for name, value in generated_distance.items():
    print(f"{name:22s} {value:7.1f}")
assert min(generated_distance, key=generated_distance.get).endswith("fitted")
factor = 0.5 if avatars.is_real else 1.0  # drawn avatars are more alike, and smoke trains for seconds
assert generated_distance["VAE, fitted"] < factor * min(
    generated_distance["VAE, uniform"], generated_distance["VAE, normal"]
)

# %% [markdown]
# Uniform codes put every feature at its strongest on one torn face. Normal codes lie where neither decoder was asked for
# anything. Fitted codes give faces. From one start each, the two distances do not say that the VAE beats the autoencoder.
#
# ### Look at the codes with t-SNE

# %% tags=["claim"] alt="Two t-SNE maps of training avatars, with held-out ones as stars among them, from autoencoder codes and from the codes of the course's VAE, coloured by hair colour"
hair, hair_names = known.train_labels["hair"], known.categories["hair"]
test_hair = known.test_labels["hair"]
own_name = next(name for name in ("hair_color", "hair") if name in avatars.attributes)
own_hair, own_test_hair = (avatars.attributes[own_name][part] for part in (avatars.train, avatars.test))
ae_test_codes = in_parts(lambda images: ae_encoder(images).numpy(), small_test)
figure, axes = plt.subplots(1, 2, figsize=(13, 6))
planes = {}
for axis, (name, points, labels, fresh, fresh_labels, names) in zip(
    axes,
    (
        ("Autoencoder", ae_codes, own_hair, ae_test_codes, own_test_hair, avatars.categories[own_name]),
        ("VAE of the course", train_mean, hair, test_mean, test_hair, hair_names),
    ),
    strict=True,
):
    shown = min(800, len(points))
    with threadpool_limits(1):
        plane = TSNE(init="pca", random_state=runtime.SEED).fit_transform(np.concatenate([points[:shown], fresh[:200]]))
    plots.latent_plane(axis, plane[:shown], labels[:shown], names, name_classes=False)
    for cloud in axis.collections:
        cloud.set_sizes([22])
    colours = np.array(plots.COLOURS)[fresh_labels[:200]]
    axis.scatter(*plane[shown:].T, s=50, c=colours, marker="*", edgecolors="black", linewidths=0.5)
    axis.set_title(name)
    axis.set(xlabel="first t-SNE axis (no unit)", ylabel="second t-SNE axis (no unit)")
    planes[name, "training avatars, map"] = plane[:shown], labels[:shown], None, labels[:shown]
    planes[name, "held-out avatars, codes"] = points, labels, fresh, fresh_labels
figure.legend(axes[1].collections, [*hair_names, "held out"], loc="outside right center", title="hair", markerscale=2)
plt.show()

for (name, which), (points, labels, fresh, fresh_labels) in planes.items():
    nearest = NearestNeighbors(n_neighbors=1).fit(points).kneighbors(fresh, return_distance=False)[:, 0]
    alike, by_chance = np.mean(labels[nearest] == fresh_labels), np.mean(labels[:, None] == fresh_labels)
    print(f"{name:18s} {which:24s} same hair colour as the nearest {alike:.0%}, by chance {by_chance:.0%}")
    assert alike > 1.5 * by_chance

# %% [markdown]
# In both maps the nearest neighbour has the same hair colour more often than a random avatar has. So has the training code
# nearest to a held-out one (stars): they land among the others. Read nothing into sizes: t-SNE keeps neighbours, not
# distances.
#
# Search by codes: which training avatars are closest to a face?

# %% tags=["claim"] alt="Four rows: a held-out avatar as the model returns it, then the six training avatars with the closest codes: hair often agrees, skin hardly"
closest_codes = NearestNeighbors(n_neighbors=6).fit(train_mean).kneighbors(test_mean, return_distance=False)
faces = {
    f"face {number + 1}": np.concatenate([decode(vae, test_mean[[number]]), decode(vae, train_mean[six])])[:, ::2, ::2]
    for number, six in enumerate(closest_codes[:4])
}
plots.compare_rows(faces, title="A held-out face, and the six training avatars with the closest codes", size=1.2)
ratios = {}
for name, labels in known.train_labels.items():
    asked = known.test_labels[name]
    alike, by_chance = np.mean(labels[closest_codes] == asked[:, None]), np.mean(labels[:, None] == asked)
    ratios[name] = alike / by_chance
    print(f"{name:10s} the same among the six closest {alike:.0%}, by chance {by_chance:.0%}")
assert min(ratios["hair"], ratios["hair_rgb"]) > 1.8 and max(ratios["eyeglasses"], ratios["face_rgb"]) < 1.6

# %% [markdown]
# Hair and its colour are found, glasses and skin hardly: the distance weighs all 200 numbers alike.
#
# ## Put glasses on a face
#
# ### Exercise 2: the direction of an attribute
#
# You get codes of avatars, and 1 for those with glasses, 0 for the others. Which vector leads, on average, from faces without
# glasses to those with?


# %% tags=["exercise"]
def attribute_direction(codes, wears):
    return np.zeros(codes.shape[1])  # your code here


checks.attribute_direction(attribute_direction)

# %% [markdown]
# ### Put them on
#
# Take it from training avatars, add a multiple to a held-out code, and decode.


# %% tags=["front-glasses"] alt="Held-out avatars without glasses in the first row; below, glasses grow as the strength goes from 0.5 to 2"
def direction(labels, value, other):
    """From the mean code of one group of training avatars to that of another."""
    return train_mean[labels == value].mean(axis=0) - train_mean[labels == other].mean(axis=0)


def edited(starts, along, strength):
    return decode(vae, starts + strength * along)


glasses, test_glasses = known.train_labels["eyeglasses"], known.test_labels["eyeglasses"]
glasses_direction = direction(glasses, 1, 0)
bare, wearers = np.flatnonzero(test_glasses == 0), np.flatnonzero(test_glasses == 1)
plots.compare_rows(
    {
        f"{strength:+.1f}": edited(test_mean[bare[:8]], glasses_direction, strength)
        for strength in (0.0, 0.5, 1.0, 1.5, 2.0)
    },
    title="Glasses put on: held-out avatars, as rebuilt, and the direction at several strengths",
    size=1.3,
)

# %% alt="Held-out avatars with glasses in the first row; below, the glasses fade as more of the direction is subtracted"
plots.compare_rows(
    {
        f"{strength:+.1f}": edited(test_mean[wearers[:8]], glasses_direction, strength)
        for strength in (0.0, -0.5, -1.0, -1.5)
    },
    title="Glasses taken off",
    size=1.3,
)

# %% [markdown]
# Are they glasses? Ask a probe: a logistic regression on pictures of avatars with and without, which must first prove itself
# on held-out ones. And the direction must beat a control: random directions of the same length.


# %%
def pixels(pictures):
    return shrunk(pictures, 64).reshape(len(pictures), -1)


some = np.arange(min(budget.probe_images, len(train_mean)))
train_pictures = in_parts(lambda z: pixels(decode(vae, z)), train_mean[some])
test_pictures = pixels(decode(vae, test_mean))


def probe(rows, labels, test_rows, test_labels):
    """A classifier of pictures, and its accuracy on held-out ones."""
    fitted = LogisticRegression(C=1e-3, max_iter=2000).fit(train_pictures[rows], labels)
    return fitted, fitted.score(test_pictures[test_rows], test_labels)


everyone = slice(None)
glasses_probe, accuracy = probe(everyone, glasses[some], everyone, test_glasses)
share = max(np.mean(test_glasses), 1 - np.mean(test_glasses))
print(f"the probe is right on {accuracy:.1%} of the held-out avatars; always saying the same would be {share:.1%}")

# %% tags=["claim"] alt="Probability of glasses, by the probe, against the strength: it climbs for bare faces, falls for wearers, and stays where it was along random directions"
add_strengths = np.linspace(-0.5, 2, 6)
random = rng.standard_normal((5, latent_dim))
random *= np.linalg.norm(glasses_direction) / np.linalg.norm(random, axis=1, keepdims=True)


def seen(starts, along):
    return np.array(
        [
            glasses_probe.predict_proba(pixels(edited(starts, along, strength)))[:, 1].mean()
            for strength in add_strengths
        ]
    )


curves = {
    "glasses added to bare faces": seen(test_mean[bare[:60]], glasses_direction),
    "glasses removed from wearers": seen(test_mean[wearers[:60]], -glasses_direction),
    "random directions, bare faces": np.mean([seen(test_mean[bare[:12]], along) for along in random], axis=0),
}
figure, axis = plt.subplots(figsize=(8, 4.2))
for (name, values), marker, dash in zip(curves.items(), plots.MARKERS, ("-", "--", ":"), strict=False):
    axis.plot(add_strengths, values, marker=marker, linestyle=dash, label=name)
axis.set(xlabel="strength", ylabel="probability of glasses, by the probe", ylim=(-0.02, 1.02))
axis.set_title("Glasses go on and off; a random direction does neither")
axis.legend()
plt.show()
added, removed, control = curves.values()
assert accuracy > share + 0.2
assert np.all(np.diff(added) > 0) and np.all(np.diff(removed) < 0)
assert added[-1] - added[1] > 0.3 and removed[1] - removed[-1] > 0.2
assert abs(control[-1] - control[1]) < 0.05 * (added[-1] - added[1])

# %% [markdown]
# ## Change the hair and the skin
#
# From blond to black, from blond to bald, and from the lightest frequent skin to the darkest. Does a direction leave
# alone what it is not about?

# %% alt="Held-out avatars in the first row; below, the same faces with black hair, then bald, with darker skin, and with two changes at once"
skin, test_skin = known.train_labels["face_rgb"], known.test_labels["face_rgb"]
brightness = [sum(bytes.fromhex(code)) for code in known.categories["face_rgb"]]
frequent_skin = [value for value in range(len(brightness)) if np.mean(skin == value) > 0.05]
light, dark = max(frequent_skin, key=lambda v: brightness[v]), min(frequent_skin, key=lambda v: brightness[v])
blond, black, bald = (hair_names.index(name) for name in ("blond", "black", "bald"))
edits = {
    "to black": direction(hair, black, blond),
    "to bald": direction(hair, bald, blond),
    "to dark skin": direction(skin, dark, light),
}
starts = np.flatnonzero((test_hair == blond) & (test_glasses == 0))[:8]
edits_shown = {"as rebuilt": 0 * glasses_direction} | edits
edits_shown["dark skin,\n1.5 x glasses"] = edits["to dark skin"] + 1.5 * glasses_direction
plots.compare_rows(
    {name: edited(test_mean[starts], along, 1.0) for name, along in edits_shown.items()},
    title="Blond avatars, and one direction added at a time; the last row adds two",
    size=1.3,
)

# %% tags=["claim"]
either, test_either = np.isin(hair[some], (blond, black)), np.isin(test_hair, (blond, black))
hair_probe, hair_accuracy = probe(either, hair[some][either] == black, test_either, test_hair[test_either] == black)
effects = {}
for name, along in {"1.5 x glasses": 1.5 * glasses_direction, "to black": edits["to black"]}.items():
    before, after = (pixels(edited(test_mean[starts], along, strength)) for strength in (0.0, 1.0))
    for probe_name, judge in {"glasses": glasses_probe, "hair": hair_probe}.items():
        change = judge.predict_proba(after)[:, 1].mean() - judge.predict_proba(before)[:, 1].mean()
        effects[name, probe_name] = change
        print(f"along {name:13s} the {probe_name:7s} probe changes by {change:+.2f}")
print(f"the hair probe is right on {hair_accuracy:.1%} of held-out avatars")
assert hair_accuracy > 0.95
assert effects["to black", "hair"] > max(0.5, 3 * abs(effects["1.5 x glasses", "hair"]))
assert effects["1.5 x glasses", "glasses"] > max(0.2, 2 * abs(effects["to black", "glasses"]))

# %% [markdown]
# Each direction moves its own probe, and the other one much less. Not zero: a difference of means picks up whatever else
# differed between two groups. *To bald* only frays long hair, and *dark skin* darkens hair too. Now touch them.

# %% alt="The codes of held-out avatars along their first two principal directions, coloured by hair colour, and a grid of places in that plane, decoded"
explorer.plane(
    vae,
    test_images[:],
    avatars.attributes[own_name][avatars.test],
    class_names=avatars.categories[own_name],
    directions={"glasses": glasses_direction, "black hair": edits["to black"]},
    along="principal",
)

# %% [markdown]
# ## Walk from one avatar to another
#
# Straight lines from code to code, one avatar of each hair colour. The largest step between two frames is well below the
# distance between two avatars picked at random.

# %% tags=["claim", "front-walk"] alt="Film: one avatar changes smoothly into the next, five in a round"
stations = test_mean[[np.flatnonzero(test_hair == colour)[0] for colour in range(5)]]
shares = (1 - np.cos(np.linspace(0, np.pi, 10, endpoint=False))) / 2  # slow at the avatars, fast between them
line = [
    start + share * (end - start)
    for start, end in zip(stations, np.roll(stations, -1, 0), strict=True)
    for share in shares
]
film_strip = decode(vae, np.stack(line))
walk = animation.gif(
    [plots.mosaic(picture[None], columns=1) for picture in film_strip], milliseconds=130, hold=130, colours=40
)
animation.save(walk, "build/06_walk.gif")
largest_step = np.sqrt(np.mean((film_strip - np.roll(film_strip, -1, axis=0)) ** 2, axis=(1, 2, 3))).max()
apart = np.sqrt(np.mean((test_pictures - np.roll(test_pictures, 1, axis=0)) ** 2, axis=1)).mean()
print(f"largest step {largest_step:.3f}, two avatars {apart:.3f} (root mean square of a pixel)")
assert largest_step < apart / 2
animation.show(walk, alt="An avatar whose hair, skin and glasses change into those of the next")

# %% [markdown]
# ## Try other layers
#
# Change one thing at a time, keep the number of steps, and let held-out avatars judge.


# %% tags=["claim"] alt="Rows: held-out avatars, reconstructions by the published layers and by the variants"
def variant(filters=(32, 64, 64), kernel=3, resize=False, residual=False):
    def build(shape, latent_dim):
        encoder = keras.Sequential([keras.Input(shape)], name="encoder")
        for number in filters:
            for layer in normalised(layers.Conv2D(number, 3, 2, "same", use_bias=False)):
                encoder.add(layer)
        encoder.add(layers.Flatten())
        encoder.add(layers.Dense(2 * latent_dim, dtype="float32"))
        z = keras.Input((latent_dim,))
        x = layers.Reshape((8, 8, filters[-1]))(layers.Dense(64 * filters[-1])(z))
        for number in (*filters[-2::-1], shape[2]):
            if residual:
                y = x
                for layer in normalised(layers.Conv2D(x.shape[-1], 3, 1, "same", use_bias=False)):
                    y = layer(y)
                x = layers.Add()([x, y])
            last = number == shape[2]
            if resize:
                x = layers.UpSampling2D()(x)
                larger = layers.Conv2D(number, 3, 1, "same", use_bias=last)
            else:
                larger = layers.Conv2DTranspose(number, kernel, 2, "same", use_bias=last)
            for layer in [larger] if last else normalised(larger):
                x = layer(x)
        return encoder, keras.Model(z, layers.Activation("sigmoid", dtype="float32")(x), name="decoder")

    return build


def chequered(pictures):
    """Alternation along both axes at once, as a share of all steps between neighbours, over that of held-out avatars."""

    def share(x):
        blocks = x[:, ::2, ::2] - x[:, 1::2, ::2] - x[:, ::2, 1::2] + x[:, 1::2, 1::2]
        return np.abs(blocks).mean() / np.abs(np.diff(x, axis=2)).mean()

    return share(pictures) / share(small_test)


variants = {
    "kernel 4": variant(kernel=4),
    "resize": variant(resize=True),
    "residual": variant(residual=True),
    "wide": variant(filters=(32, 64, 256)),
}
better, seconds = {}, {}
for name, build in variants.items():
    began = time.perf_counter()
    better[name] = trained_at_64(models.calibrated_gaussian_of, 0, build=build)
    seconds[name] = time.perf_counter() - began

table = {"published layers": (rows["calibrated", 0], pictures_of["calibrated", 0])} | {
    name: judged(model) for name, model in better.items()
}
grid = {name: chequered(sets["from fitted"]) for name, (_, sets) in table.items()}
for name, (row, _) in table.items():
    took = f", {seconds[name]:.0f} s" if name in seconds else ""
    print(
        f"{name:17s} {row['dB']:.2f} dB, fitted draws {row['from fitted']:.1f}, sharpness {row['sharp']:.2f}, "
        f"chequered {grid[name]:.2f}{took}"
    )
plots.compare_rows(
    {"held out": small_test[:8]} | {name.replace(" ", "\n"): sets["rebuilt"][:8] for name, (_, sets) in table.items()},
    title="Equal steps, other layers",
    size=1.2,
)
gains = {name: row["dB"] - table["published layers"][0]["dB"] for name, (row, _) in table.items()}
patience = card["held-out"]["psnr"] - past[1]["psnr"]
print(
    f"largest gain by layers {max(gains.values()):.2f} dB; by patience, from epoch {past[1]['epoch']} on, {patience:.2f} dB"
)
assert max(gains.values()) < 0.3 * patience
if budget.name == "laptop" and avatars.is_real:
    assert max(gains.values()) < 0.1 * patience
    assert max(grid.values()) < 0.75 and abs(grid["kernel 4"] - grid["published layers"]) < 0.06
    assert grid["resize"] < 0.95 * min(grid[name] for name in grid if name != "resize")

# %% [markdown]
# *Resize* doubles a picture by repeating pixels, then convolves; *residual* adds a block beside each step; *wide* has four
# times the channels at 8x8. None gains much in so few steps; patience did. Transposed convolutions are known for chequered
# pictures (Odena and others, 2016), most where the kernel, 3, is no multiple of the stride, 2. Here draws alternate less
# than avatars do. Kernel 4 changes nothing; resizing smooths.
#
# **An open problem.** 200 numbers describe an avatar, though 28 nats would name it. How many matter? Take the principal directions of
# the codes (`axes_of_codes`), keep the first $k$ of a held-out code and the mean in place of the others, decode, and plot
# decibels to the full reconstruction against $k$. What is lost first?
#
# <details><summary>A hint</summary>
#
# `turned = (test_mean - centre_of_codes) @ axes_of_codes`, set `turned[:, k:] = 0`, and turn back with the transpose.
#
# </details>
#
# ## In this notebook we saw
#
# - The constant in front of a squared error is a noise level, to be chosen anew for each image size. The best one is the mean
#   squared error, and is worth hundreds of thousands of nats an image.
# - Principal components are the yardstick. A VAE passes them, with patience.
# - Calibrated, a VAE draws badly from N(0, I), because its codes are elsewhere. Next to nothing of the KL is information.
# - A prior that follows the codes repairs it, and improves the bound on held-out images.
# - A direction in latent space is a claim. A probe can test it against a control.
#
# A long training that may be cut off: [appendix A4](A4_scale.ipynb). How to judge what you have made:
# [lesson 07](07_how_good.ipynb).
#
# ## Test yourself
#
# Run the cell and click on an answer: it tells you whether it is right, and why.

# %% tags=["self-test"]
selftest.ask("06")

# %% [markdown]
# ## Sources and further reading
#
# - Cartoon Set, [google.github.io/cartoonset](https://google.github.io/cartoonset/), Google LLC, CC BY 4.0. The images
#   shown are from it unless a figure says otherwise, cropped and scaled.
# - O. Rybkin, K. Daniilidis, S. Levine, [Simple and Effective VAE Training with Calibrated
#   Decoders](https://arxiv.org/abs/2006.13202), 2021.
# - M. E. Tipping, C. M. Bishop, [Probabilistic Principal Component
#   Analysis](https://doi.org/10.1111/1467-9868.00196), 1999.
# - M. D. Hoffman, M. J. Johnson, [ELBO surgery](http://approximateinference.org/2016/accepted/HoffmanJohnson2016.pdf),
#   2016.
# - P. Ghosh and others, [From Variational to Deterministic Autoencoders](https://arxiv.org/abs/1903.12436), 2020;
#   J. M. Tomczak, M. Welling, [VAE with a VampPrior](https://arxiv.org/abs/1705.07120), 2018; B. Dai, D. Wipf,
#   [Diagnosing and Enhancing VAE Models](https://arxiv.org/abs/1903.05789), 2019: three ways to a better prior.
# - A. Odena, V. Dumoulin, C. Olah, [Deconvolution and Checkerboard
#   Artifacts](https://doi.org/10.23915/distill.00003), 2016.
# - M. Heusel and others, [GANs Trained by a Two Time-Scale Update Rule](https://arxiv.org/abs/1706.08500), 2017: the
#   Fréchet distance between sets of images.

# %% [markdown] tags=["solution"]
# ---
# ## Solutions
#
# Collapsed. Click on the dots of a cell to see its code; what it prints is the verdict of the check.


# %% tags=["solution"] jupyter={"source_hidden": true}
def fitted_covariance(mean, sd):
    """The law of total variance: between the images, and within them."""
    return np.cov(mean, rowvar=False) + np.diag(np.mean(sd**2, axis=0))


checks.fitted_covariance(fitted_covariance)


# %% tags=["solution"] jupyter={"source_hidden": true}
def attribute_direction(codes, wears):
    """From the mean code of those without to the mean code of those with."""
    return codes[wears == 1].mean(axis=0) - codes[wears == 0].mean(axis=0)


checks.attribute_direction(attribute_direction)
np.testing.assert_allclose(attribute_direction(train_mean, glasses), glasses_direction, atol=1e-5)

# %% [markdown] tags=["solution"]
# **The open problem.** What the first $k$ directions of the codes hold.

# %% tags=["solution"] jupyter={"source_hidden": true} alt="Decibels to the full reconstruction, against the number of directions kept: it climbs without a step"
turned = (test_mean - centre_of_codes) @ axes_of_codes
full = decode(vae, test_mean[:60])
kept, likeness = (1, 5, 10, 20, 40, 80, 160), []
for k in kept:
    cut = decode(vae, centre_of_codes + turned[:60, :k] @ axes_of_codes[:, :k].T)
    likeness.append(metrics.psnr(cut, full))
    print(f"{k:4d} directions: {likeness[-1]:5.2f} dB to the full reconstruction, sharpness {sharpness(cut, full):.2f}")
figure, axis = plt.subplots(figsize=(7, 3.6))
axis.semilogx(kept, likeness, marker="o")
axis.set(xlabel="directions kept", ylabel="PSNR to the full reconstruction (dB)", title="Details go first, heads last")
plt.show()
assert np.all(np.diff(likeness) > 0)
