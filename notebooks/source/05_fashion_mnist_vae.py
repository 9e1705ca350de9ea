# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 · A VAE on Fashion-MNIST, and the film of its training
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/vae-course/vae-course/blob/main/notebooks/05_fashion_mnist_vae.ipynb)
#
# ![Film: a grid of uniform grey turns into a landscape of garments as the VAE trains](figures/05_training.gif)
#
# That film is made in this notebook. Each tile is one point of a two-dimensional latent space, decoded again and again
# while the model learns. At the end the plane is a wardrobe.

# %% [markdown]
# **You will do**
# - write a convolutional VAE from its parts, train it on 60,000 garments, and film its latent space while it learns;
# - follow single images through the model: mean, spread, draw, decoded draw;
# - train a second VAE with batch normalisation and a Gaussian likelihood, and generate garments with it.
#
# **You will learn**
# - how the ELBO is written in code in two ways that agree, in nats per image;
# - what the latent plane of a VAE has that the code plane of an autoencoder lacks, as pictures and as numbers;
# - that the constant in front of a mean squared error is a choice of noise level.
#
# **You need** lessons [01](01_autoencoder.ipynb) to [04](04_tfp_vae.ipynb), or the words *encoder*, *KL divergence*
# and *reparameterization*. Words are explained in the [glossary](../site/glossary.md).
#
# **Time:** about four minutes of computing at the `laptop` budget on two cores, and two hours of study. `full` trains
# the published numbers of epochs and wants a GPU.

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

budget = runtime.start("05")

# %%
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras
from matplotlib.patches import Ellipse
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from course_utils import animation, checks, data, elbo, explorer, models, networks, plots, selftest, training

tfd, layers = tfp.distributions, keras.layers

# %% [markdown]
# ## Load the garments and make them binary
#
# The images are `uint8`: 0 is the background, 255 is the brightest cloth.

# %%
fashion = data.load_fashion_mnist()
plots.label_source(fashion)
print(fashion)

train_images = fashion.train_images[: budget.images]
passes = budget.images // len(train_images)  # the drawn set is smaller: pass over it more often
names = fashion.class_names
trained_long = fashion.is_real and budget.name != "smoke"  # claims are sharper then
bright = np.mean(fashion.test_images > 127, axis=(1, 2, 3)) > 0.1  # a dark garment vanishes when it is made binary
one_of_each = [int(np.flatnonzero((fashion.test_labels == label) & bright)[0]) for label in range(10)]

# %% [markdown]
# Our decoder will hand back a Bernoulli distribution for each pixel, so the pixels have to be 0 or 1. We cut at one half.

# %% alt="Ten garments, one of each class, in grey levels above and in pure black and white below"
plots.compare_rows(
    {"grey": fashion.test_images[one_of_each], "binary": data.binarise(fashion.test_images[one_of_each])},
    names,
    title="Cutting at one half keeps the shape and drops the fabric",
)

# %% [markdown]
# The silhouettes survive, and with them most of what tells the classes apart. Folds and prints are gone. A
# cross-entropy on grey levels has a floor, as lesson 04 shows: even a model that reproduces every pixel exactly pays
# the entropy of each grey level. For garments it is 189.86 nats per image, four times that of digits. On binary pixels
# it is zero.

# %% tags=["claim"]
grey = np.clip(data.to_float(fashion.test_images).astype(np.float64), 1e-12, 1 - 1e-12)
floor = -np.sum(grey * np.log(grey) + (1 - grey) * np.log1p(-grey)) / len(grey)
print(f"cross-entropy of the grey test images with themselves: {floor:.2f} nats per image")
if fashion.is_real:
    np.testing.assert_allclose(floor, 189.86, atol=0.01)
assert floor > 50
assert set(np.unique(data.binarise(fashion.test_images))) == {0.0, 1.0}

# %% [markdown]
# ## Build the encoder and the decoder
#
# The encoder turns an image into two means and two log variances. The decoder turns two numbers into 784 logits. Between
# the two there is nothing but a point in the plane.

# %% tags=["claim"]
latent_dim = 2

encoder_network = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, strides=2, activation="relu"),
        layers.Conv2D(64, 3, strides=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(2 * latent_dim),
    ],
    name="encoder",
)
decoder_network = keras.Sequential(
    [
        keras.Input((latent_dim,)),
        layers.Dense(7 * 7 * 32, activation="relu"),
        layers.Reshape((7, 7, 32)),
        layers.Conv2DTranspose(64, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(1, 3, strides=1, padding="same"),
    ],
    name="decoder",
)
print("encoder:", encoder_network.output_shape, f"{encoder_network.count_params():,} parameters")
print("decoder:", decoder_network.output_shape, f"{decoder_network.count_params():,} parameters")
assert encoder_network.output_shape == (None, 4) and decoder_network.output_shape == (None, 28, 28, 1)
assert encoder_network.count_params() == 28_036 and decoder_network.count_params() == 41_953

# %% [markdown]
# ## Give the parts their names
#
# Five verbs make a VAE: *encode* an image to a distribution, *reparameterize* to draw from it, *decode* a point to
# logits, *sample* new images from the prior, and weigh it all with the *ELBO*. The draw is the one of lesson 03:
#
# $$z = \mu + \sigma \, \varepsilon, \qquad \sigma = e^{\frac12 \log \sigma^2}, \qquad \varepsilon \sim \mathcal{N}(0, I).$$


# %%
class ConvVAE(keras.Model):
    def __init__(self, encoder_network, decoder_network):
        super().__init__()
        self.encoder_network, self.decoder_network = encoder_network, decoder_network
        self.prior = models.standard_normal(latent_dim)

    def encode(self, images):
        mean, log_variance = tf.split(self.encoder_network(images), 2, axis=-1)
        return mean, log_variance

    def reparameterize(self, mean, log_variance):
        return mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))

    def decode(self, z, apply_sigmoid=False):
        logits = self.decoder_network(z)
        return tf.sigmoid(logits) if apply_sigmoid else logits

    def sample(self, number=100):
        return self.decode(self.prior.sample(number), apply_sigmoid=True)


# %% [markdown]
# This once, distributions go about as tuples of numbers, as in the published loop. From *Look for the missing nats* on
# they are TFP distributions, as in lesson 04.
#
# ## Write the bound twice
#
# For one image and one draw $z \sim q(z|x)$ the bound can be estimated from three log densities, all at the same $z$:
#
# $$\log p(x|z) + \log p(z) - \log q(z|x).$$
#
# Here we know the last two terms in expectation, as derived in lesson 02: they are $-\mathrm{KL}(q(z|x) \,\|\, p(z))$. So
# there is a second way.


# %%
def log_normal_density(z, mean, log_variance):
    """The log of the normal density, summed over latent dimensions: shape (batch,)."""
    squares = (z - mean) ** 2 * tf.exp(-log_variance)
    return -0.5 * tf.reduce_sum(squares + log_variance + np.log(2 * np.pi), axis=-1)


def log_likelihood(images, logits):
    """log p(x|z), summed over pixels: shape (batch,)."""
    return -tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=images, logits=logits), axis=[1, 2, 3])


def single_sample_elbo(model, images):
    mean, log_variance = model.encode(images)
    z = model.reparameterize(mean, log_variance)
    log_prior = log_normal_density(z, 0.0, 0.0)
    return log_likelihood(images, model.decode(z)) + log_prior - log_normal_density(z, mean, log_variance)


def analytic_kl_elbo(model, images):
    mean, log_variance = model.encode(images)
    z = model.reparameterize(mean, log_variance)
    return log_likelihood(images, model.decode(z)) - elbo.kl_to_standard_normal(mean, log_variance)


# %% [markdown]
# The pixels are *summed*, and so are the latent dimensions; only the images are averaged. With a mean over pixels the KL
# would weigh 784 times as much, and lesson 04 shows what such a factor does: no image gets through.
#
# > **Three slips in published code.** A helper for the *log of a normal density* is called "log-normal pdf", which is
# > another distribution. The mean of $q(z|x)$ is decoded when the test set is evaluated: that is not the ELBO, whose
# > expectation is over draws. And `kl_loss = kl_loss(mean, log_variance)` works once: then the name is a number. That
# > code sets `var` and reads `log_var`, an unset `epoch` and a misnamed model, and forgets a channel axis.
#
# Draw often enough and the two ways have to agree. We take 64 images and 200 draws each, before any training:

# %% tags=["claim"]
model = ConvVAE(encoder_network, decoder_network)
some_images = tf.constant(data.binarise(train_images[:64]))
draws = 200

single = np.mean([single_sample_elbo(model, some_images) for _ in range(draws)], axis=1)
analytic = np.mean([analytic_kl_elbo(model, some_images) for _ in range(draws)], axis=1)
for name, values in {"single sample": single, "analytic KL": analytic}.items():
    print(f"{name:14s} {values.mean():9.3f} +- {values.std() / np.sqrt(draws):.3f} nats per image")
standard_error = np.hypot(single.std(), analytic.std()) / np.sqrt(draws)
assert abs(single.mean() - analytic.mean()) < 5 * standard_error
assert abs(analytic.mean() + 784 * np.log(2)) < 0.1 * 784 * np.log(2)

# %% [markdown]
# An untrained decoder gives every pixel a probability near one half, so it pays about $784 \ln 2 = 543$ nats per image.
# That is where the film starts.

# %% [markdown]
# ### Exercise 1: the log-likelihood without a cross-entropy
#
# Write `log_likelihood` from the definition, with no cross-entropy of a library. Start at $x \ln p + (1 - x) \ln (1 -
# p)$ with $p = \operatorname{sigmoid}(\text{logit})$ and simplify on paper until no sigmoid is left: `tf.nn.softplus`
# is $\ln(1 + e^x)$ and does not overflow.


# %% tags=["exercise"]
def log_likelihood_by_hand(images, logits):
    return tf.zeros(len(images))  # your code here


checks.log_likelihood(log_likelihood_by_hand)

# %% [markdown]
# ## Write the training step
#
# One tape watches one forward pass, and one optimizer moves both networks. Keras calls `train_step` for each batch once
# it is part of the model, so callbacks, histories and progress bars come for free.


# %%
class TrainableVAE(ConvVAE):
    def train_step(self, images):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(single_sample_elbo(self, images))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"negative_elbo": loss}


model = TrainableVAE(encoder_network, decoder_network)

# %% [markdown]
# > **A common mistake.** One published loop opens two tapes and calls the optimizer twice, once a network. That runs the
# > decoder's backward pass twice, and today's optimizers refuse the second set of variables. The loss is one number: one
# > tape and one step are enough.

# %% tags=["claim"]
one_optimizer = keras.optimizers.Adam(0.0)  # a rate of zero: the weights stay as they are
answers = []
for network in (encoder_network, decoder_network):
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(single_sample_elbo(model, some_images))
    try:
        variables = network.trainable_variables
        one_optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        answers.append("taken")
    except KeyError as error:
        answers.append("refused")
        print(str(error.args[0]).partition(".")[0])
assert answers == ["taken", "refused"]

# %% [markdown]
# ## Choose what the camera sees
#
# If the grid points were equally spaced, most of them would lie where the prior has little mass. So we space them by the
# prior's quantiles: each tile then stands for the same share of all draws.
#
# ### Exercise 2: the grid
#
# Before you read on, write it: for `number = 3`, the nine pairs of the quantiles 1/6, 3/6 and 5/6 of $\mathcal{N}(0,
# 1)$. A quantile function is `tfd.Normal(0.0, 1.0).quantile`. Rows may come in any order.


# %% tags=["exercise"]
def quantile_grid(number):
    positions = np.linspace(-2, 2, number)  # your code here
    return np.stack(np.meshgrid(positions, positions), axis=-1).reshape(-1, 2)


checks.prior_grid(quantile_grid)

# %% [markdown]
# The version of this notebook starts at the top row, so that the picture has its axes the usual way round:


# %%
def prior_grid(number):
    """Codes at the quantiles of N(0, 1) on both axes: shape (number * number, 2), top row first."""
    quantiles = tfd.Normal(0.0, 1.0).quantile((np.arange(number, dtype=np.float32) + 0.5) / number)
    across, up = np.meshgrid(quantiles, quantiles[::-1])
    return np.stack([across.ravel(), up.ravel()], axis=-1)


def landscape(model, number=12):
    return plots.mosaic(model.decode(prior_grid(number), apply_sigmoid=True).numpy(), columns=number)


camera = training.Snapshots(landscape, every=75)

# %% [markdown]
# A picture is kept before training, after every 75 batches of the first epoch, and after every epoch.
#
# ## Train, and film it
#
# `training.fit` shuffles, binarises, warms the learning rate up to 0.003 and lets it fall along a cosine. The published
# recipe holds it at 0.0001 throughout, in batches of 32.

# %%
history = training.fit(
    model,
    train_images,
    epochs=passes * budget.epochs,
    peak_rate=3e-3,
    transform="binarise",
    callbacks=[camera],
    verbose=1,
)

# %% tags=["film", "front-training"] alt="Film of the training: a grid of 12 by 12 decoded latent points, from uniform grey to a landscape of garments"
frames = [
    animation.caption(frame.repeat(2, axis=0).repeat(2, axis=1), f"{when}   {plots.source_note()}", height=48)
    for frame, when in zip(camera.frames, camera.captions, strict=True)
]
film = animation.gif(frames, milliseconds=450, hold=3000, colours=24)
animation.save(film, "build/05_training.gif")
animation.show(film, alt="The latent plane decoded as training goes on: grey, then flat and tall shapes, then garments")

# %% [markdown]
# First the grey splits into flat shapes and tall ones. Outlines follow: shoes, sleeves, then trouser legs and heels.
# Large shapes move many pixels and so many nats. Most of it happens in the first epoch.

# %% tags=["claim"]
film_of = dict(zip(camera.captions, camera.frames, strict=True))


def change(before, after):
    return np.mean(np.abs(film_of[before].astype(np.float32) - film_of[after]))


assert change("before training", "after epoch 1") > (3 if trained_long else 1.5) * change(
    "after epoch 1", camera.captions[-1]
)

# %% [markdown]
# One number after the training, with its error bar: the whole test set, with one sampled $z$ an image.


# %%
def as_vae(model):
    """The same weights as the course's VAE: encoder, decoder and prior, all of them distributions."""
    return models.VAE(
        models.posterior_of(model.encoder_network), models.bernoulli_of(model.decoder_network), model.prior
    )


binary_test = data.binarise(fashion.test_images)
convolutional = elbo.evaluate(as_vae(model), binary_test)
print({name: round(value, 2) for name, value in convolutional.items()})

# %% [markdown]
# The yardstick is the best model *without* a latent variable: every pixel an independent Bernoulli with its own
# frequency in the training set.

# %% tags=["claim"]
frequency = np.clip((train_images > 127).mean(axis=0), 1e-4, 1 - 1e-4)
no_latent = -np.mean(np.sum(binary_test * np.log(frequency) + (1 - binary_test) * np.log1p(-frequency), axis=(1, 2, 3)))
print(f"no latent variable: {no_latent:.1f} nats per image")
print(f"two of them:        {convolutional['negative_elbo']:.1f} nats per image")
saved = 1 - convolutional["negative_elbo"] / no_latent
print(f"saved:              {saved:.0%}")
assert saved > (0.48 if trained_long else 0.25)
assert 2 < convolutional["kl"] < 10 and convolutional["standard_error"] < 1.5

# %% [markdown]
# Two numbers an image save about half of the bill, and the KL, the price of sending them, is a few nats.

# %% [markdown]
# ## Walk through the landscape

# %% alt="A 20 by 20 grid of decoded latent points, spaced by the quantiles of the prior"
figure, axis = plt.subplots(figsize=(8.4, 8.4))
edges = [0, 1, 0, 1]
axis.imshow(landscape(model, 20), extent=edges)
ticks = np.array([0.025, 0.25, 0.5, 0.75, 0.975])
labels = [f"{value:.2f}" for value in tfd.Normal(0.0, 1.0).quantile(ticks).numpy()]
axis.set_xticks(ticks, labels)
axis.set_yticks(ticks, labels)
axis.set(xlabel="first latent dimension, at the prior's quantiles", ylabel="second latent dimension")
axis.set_title("Every tile stands for the same share of the prior's draws")
plt.show()

# %% [markdown]
# Neighbours look alike, across and up. Where few training images have their codes, garments turn into ghosts, but even
# those change gradually. "It looks continuous" is a picture. As numbers: the mean step between two neighbouring tiles is
# small against the distance between two tiles picked at random, and 99 steps in 100 stay below that distance.

# %% tags=["claim"]
codes = prior_grid(20)
tiles = model.decode(codes, apply_sigmoid=True).numpy().reshape(20, 20, 784)


def rms(difference):
    return np.sqrt(np.mean(difference**2, axis=-1))


steps = np.concatenate([rms(np.diff(tiles, axis=axis)).ravel() for axis in (0, 1)])
shuffled = np.random.default_rng(0).permutation(tiles.reshape(400, 784))
apart = rms(shuffled[:200] - shuffled[200:]).mean()
print(f"between neighbours {steps.mean():.3f}, 99% of them below {np.quantile(steps, 0.99):.3f}")
print(f"between random tiles {apart:.3f} (root mean square of a pixel)")
assert steps.mean() < (0.2 if trained_long else 0.33) * apart
assert np.quantile(steps, 0.99) < apart

# %% [markdown]
# And a hundred draws from the prior:

# %% alt="A hundred decoded draws from the prior: mostly tops, trousers, bags and shoes, some of them in between"
plots.show_images(model.sample().numpy(), columns=20, size=0.55, title="A hundred draws from the prior, decoded")

# %% [markdown]
# ## Touch the plane
#
# Drag the point, or move it with the arrow keys: your browser decodes it, without the kernel. Then choose an image, or
# draw one, and see its posterior: the ellipse, and six draws from it.

# %% alt="The codes of test images in the latent plane, coloured by class, and a grid of places in it, decoded"
explorer.plane(as_vae(model), fashion.test_images, fashion.test_labels, class_names=names)

# %% [markdown]
# ## Find what the dimensions mean
#
# Measure some features of the decoded images, and draw the lines along which each is constant: its *locus* in the plane.

# %% alt="Three maps of the latent plane: amount of cloth, height to width ratio, and how empty the middle of the hem is"
side = np.linspace(-2.5, 2.5, 60, dtype=np.float32)
across, up = np.meshgrid(side, side)
parts = np.split(np.stack([across.ravel(), up.ravel()], axis=-1), 12)  # all 3,600 at once would take a gigabyte
decoded = np.concatenate([model.decode(part, apply_sigmoid=True).numpy()[..., 0] for part in parts])
pixel = np.arange(28)
total = decoded.sum(axis=(1, 2)) + 1e-6


def spread_along(profile):
    """Standard deviation of the cloth along one axis of the image, in pixels."""
    centre = profile @ pixel / total
    return np.sqrt(profile @ pixel**2 / total - centre**2)


features = {
    "cloth, share of the frame": decoded.mean(axis=(1, 2)),
    "slenderness, height / width": spread_along(decoded.sum(axis=2)) / spread_along(decoded.sum(axis=1)),
    "emptiness of the hem's middle": 1 - decoded[:, 20:25, 13:15].mean(axis=(1, 2)),
}
figure, axes = plt.subplots(1, 3, figsize=(13, 4.6), sharey=True)
for axis, (name, values) in zip(axes, features.items(), strict=True):
    filled = axis.contourf(across, up, values.reshape(60, 60), levels=10, cmap="cividis")
    axis.contour(across, up, values.reshape(60, 60), levels=10, colors="white", linewidths=0.5)
    figure.colorbar(filled, ax=axis, fraction=0.046, pad=0.04)
    axis.set(title=name, xlabel="first latent dimension", aspect="equal")
axes[0].set_ylabel("second latent dimension")
figure.suptitle("Loci: along a white line the feature of the decoded garment is constant")
plt.show()

# %% [markdown]
# The lines run smoothly, but not along the axes. Nothing told the axes to mean something. They are not quite free,
# though: turn the plane, and turn both networks with it, and $p(x)$ is the same, but an ellipse that lies askew is no
# longer in the family of our $q(z|x)$, whose two dimensions are independent. So the bound prefers some directions of
# the axes to others (Rolinek and others, 2019). Directions can mean something; lesson 06 looks for them.

# %% tags=["claim"]
for name, values in features.items():
    field = values.reshape(60, 60)
    step = np.mean([np.abs(np.diff(field, axis=axis)).mean() for axis in (0, 1)]) / field.std()
    print(f"{name:30s} mean step {step:.3f} standard deviations")
    assert step < 0.1

# %% [markdown]
# ## Follow one image at a time
#
# The encoder does not return a point. It returns a small cloud: a mean and a standard deviation in each direction.
# Training draws a point from the cloud, decodes it, and compares.

# %% alt="Four rows, one a garment: the input; its mean, one-sigma ellipse and three numbered draws in the latent plane; the decoded mean; the three decoded draws"
chosen = [one_of_each[label] for label in (1, 3, 7, 8)]
images = data.binarise(fashion.test_images[chosen])
mean, log_variance = model.encode(images)
sd = tf.exp(0.5 * log_variance).numpy()
points = np.stack([model.reparameterize(mean, log_variance) for _ in range(3)])
pictures = [images, model.decode(mean, True), *(model.decode(z, True) for z in points)]

figure, rows = plt.subplots(4, 6, figsize=(11, 8.2), width_ratios=(1, 1.5, 1, 1, 1, 1))
for index, (colour, row) in enumerate(zip(plots.COLOURS, rows, strict=False)):
    row[1].add_patch(Ellipse(mean[index], *(2 * sd[index]), facecolor=colour, edgecolor="none", alpha=0.25))
    row[1].plot(*mean[index].numpy(), "+", color=colour, markersize=12, markeredgewidth=2)
    for number, z in enumerate(points[:, index], start=1):
        row[1].text(*z, str(number), ha="center", va="center", weight="bold")
    reach = 1.25 * np.abs(points[:, index] - mean[index]).max() + sd[index].max()
    row[1].set(xlim=mean[index, 0] + [-reach, reach], ylim=mean[index, 1] + [-reach, reach], aspect="equal")
    row[1].tick_params(labelsize=8)
    row[0].set_ylabel(names[fashion.test_labels[chosen[index]]], fontsize=12)
    for axis, picture in zip(row[[0, 2, 3, 4, 5]], pictures, strict=True):
        axis.imshow(picture[index, ..., 0], vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
for axis, title in zip(rows[0], ("input", "q(z|x)", "mean", "draw 1", "draw 2", "draw 3"), strict=True):
    axis.set_title(title)
figure.suptitle("A cross for the mean, an ellipse of one standard deviation, three numbered draws", fontsize=13)
plt.show()

# %% [markdown]
# Read the axes: each window shows a small piece of a plane on which the prior has a standard deviation of 1. An ellipse
# is small, yet not a point. (In two dimensions one of one standard deviation holds 39% of the draws: expect most of the
# numbers outside.) Because training keeps drawing from it, everything inside has to decode to about the same garment:
# the draws look alike. Ellipses of different garments push each other apart. The KL pulls them all towards the origin.

# %% tags=["claim"]
spread = tf.exp(0.5 * model.encode(binary_test[:2000])[1]).numpy()
print("median standard deviation of q(z|x) over 2,000 test images:", np.median(spread, axis=0).round(3))
assert np.all(np.median(spread, axis=0) < (0.07 if trained_long else 0.6)), "a small part of the prior's unit spread"

# %% [markdown]
# ## Walk from one garment to another
#
# ### Exercise 3: a path of any length
#
# Write the path: `steps` codes from `start` to `end` on a straight line, all steps equal, both ends included.


# %% tags=["exercise"]
def interpolate(start, end, steps):
    return tf.zeros((steps, len(start)))  # your code here


checks.interpolate(interpolate)

# %% [markdown]
# ### Compare a path with a cross-fade
#
# Take trousers and a bag, go from mean to mean on a straight line, and decode along the way. Below it the same walk in
# pixel space, where one picture fades into the other.

# %% alt="Upper row: a decoded path from trousers to a bag, always one garment. Lower row: a cross-fade in pixels"
ends = data.binarise(fashion.test_images[[one_of_each[1], one_of_each[8]]])
start, end = model.encode(ends)[0]
share = np.linspace(0, 1, 10, dtype=np.float32)[:, None]
path = model.decode(start + share * (end - start), apply_sigmoid=True).numpy()
fade = path[0] + share[..., None, None] * (path[-1] - path[0])
plots.compare_rows(
    {"latent path": path, "pixel fade": fade},
    [f"{value:.2f}" for value in share[:, 0]],
    title=f"From {names[1]} to {names[8]}: share of the way above each picture",
)

# %% [markdown]
# Half-way, the cross-fade shows two garments at once. The decoder shows one, or a blur that has not decided. A pixel of
# a decided picture is close to 0 or to 1, and the entropy of its Bernoulli says how close:


# %% tags=["claim"]
def indecision(pixels):
    pixels = np.clip(pixels, 1e-6, 1 - 1e-6)
    return -np.sum(pixels * np.log(pixels) + (1 - pixels) * np.log(1 - pixels), axis=(1, 2, 3))


print("latent path:", indecision(path).round(0))
print("pixel fade: ", indecision(fade).round(0))
assert indecision(path)[3:7].mean() < indecision(fade)[3:7].mean()

# %% [markdown]
# ## Look for the missing nats
#
# Are two dimensions the bottleneck, or is it the networks? Keep the two dimensions and exchange the networks, both of
# them: fully connected layers of 512 in place of convolutions, trained with a peak rate of 0.001.

# %% tags=["claim"]
dense_encoder = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Flatten(),
        *(layers.Dense(512, activation="relu") for _ in range(2)),
        layers.Dense(2 * latent_dim),
    ]
)
dense_decoder = keras.Sequential(
    [
        keras.Input((latent_dim,)),
        *(layers.Dense(512, activation="relu") for _ in range(3)),
        layers.Dense(784),
        layers.Reshape((28, 28, 1)),
    ]
)
dense = models.VAE(
    models.posterior_of(dense_encoder), models.bernoulli_of(dense_decoder), models.standard_normal(latent_dim)
)
dense_epochs = passes * budget.dense_epochs
training.fit(dense, train_images, epochs=dense_epochs, peak_rate=1e-3, transform="binarise", verbose=1)
fully_connected = elbo.evaluate(dense, binary_test)
for name, result in {"convolutional": convolutional, "fully connected": fully_connected}.items():
    print(f"{name:16s} -ELBO {result['negative_elbo']:.1f} = {result['reconstruction']:.1f} + KL {result['kl']:.1f}")
margin = 3 * np.hypot(convolutional["standard_error"], fully_connected["standard_error"]) if trained_long else 0
assert fully_connected["negative_elbo"] < convolutional["negative_elbo"] - margin

# %% [markdown]
# The plane can hold more than the published networks put into it. Which of the two was in the way? Try it: keep one and
# exchange the other. A bound is a statement about the model *and* the networks that you gave it.

# %% [markdown]
# ## Build a second VAE, with batch normalisation
#
# Now a larger network from another published tutorial, on grey pixels. Each convolution is followed by batch
# normalisation and a leaky ReLU, whose slope below zero is 0.3 in Keras. The momentum of 0.9 makes the running
# statistics follow the last ten or so batches: with Keras's default of 0.99 they lag behind a training as short as ours.
#
# The published convolutions have biases. Batch normalisation subtracts the mean of each channel, and with it whatever
# constant a bias has added. So leave them out: the same functions, and about a tenth less work (`benchmarks/`).


# %% tags=["claim"]
def normalised(layer):
    return [layer, layers.BatchNormalization(momentum=0.9), layers.LeakyReLU(0.3)]


encoder_network = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        *normalised(layers.Conv2D(32, 3, strides=1, padding="same", use_bias=False)),
        *normalised(layers.Conv2D(64, 3, strides=2, padding="same", use_bias=False)),
        *normalised(layers.Conv2D(64, 3, strides=2, padding="same", use_bias=False)),
        *normalised(layers.Conv2D(64, 3, strides=1, padding="same", use_bias=False)),
        layers.Flatten(),
        layers.Dense(2 * latent_dim),
    ]
)
decoder_network = keras.Sequential(
    [
        keras.Input((latent_dim,)),
        layers.Dense(7 * 7 * 64),
        layers.Reshape((7, 7, 64)),
        *normalised(layers.Conv2DTranspose(64, 3, strides=1, padding="same", use_bias=False)),
        *normalised(layers.Conv2DTranspose(64, 3, strides=2, padding="same", use_bias=False)),
        *normalised(layers.Conv2DTranspose(32, 3, strides=2, padding="same", use_bias=False)),
        layers.Conv2DTranspose(1, 3, padding="same"),
        layers.Activation("sigmoid"),
    ]
)

features, bias = tf.random.normal((32, 7, 7, 3)), tf.constant([5.0, -1.0, 0.3])
batch_normalisation = layers.BatchNormalization()
difference = batch_normalisation(features + bias, training=True) - batch_normalisation(features, training=True)
print(f"what a bias changes after batch normalisation: {np.abs(difference).max():.0e}")
np.testing.assert_allclose(difference, 0, atol=1e-4)

# %% [markdown]
# ## Read the constant in front of the squared error
#
# The published loss is $1000 \times$ the mean squared error plus the KL. Where does the 1000 come from? Write down a
# Gaussian likelihood for $D$ pixels with variance $\sigma^2$ around the decoded mean $\hat x$:
#
# $$-\log p(x|z) = \frac{1}{2\sigma^2} \sum_i (x_i - \hat x_i)^2 + \frac{D}{2} \log 2\pi\sigma^2 = \frac{D}{2\sigma^2} \, \mathrm{MSE} + \mathrm{const}.$$
#
# So 1000 is $D / (2 \sigma^2)$, and the choice of 1000 is a choice of noise: $\sigma^2 = D / 2000$.

# %% tags=["claim"]
variance = 784 / 2000
print(f"variance {variance}, standard deviation {variance**0.5:.3f} on pixels between 0 and 1")

x, better, worse = data.to_float(fashion.test_images[:3])


def likelihood(mean):
    return tfd.Independent(tfd.Normal(mean, variance**0.5), 3)


nats = likelihood(worse).log_prob(x) - likelihood(better).log_prob(x)
published = 1000 * (np.mean((x - better) ** 2) - np.mean((x - worse) ** 2))
print(f"log-likelihood ratio {float(nats):.3f}, difference of 1000 x MSE {published:.3f}")
np.testing.assert_allclose(nats, published, rtol=1e-4)

# %% [markdown]
# The two agree to rounding. The model claims that a pixel is off by 0.63, on a scale from 0 to 1. That is a noisy
# camera, and it makes the KL comparatively expensive.
#
# ## Train it
#
# Encoder, decoder and prior are all distributions now, as in lesson 04, and `fit` maximises the ELBO. The published
# recipe holds the rate at 0.0005 for many epochs; a warm-up to 0.002 lets one epoch do at the `laptop` budget.

# %%
vae = models.VAE(
    models.posterior_of(encoder_network),
    models.gaussian_of(decoder_network, variance),
    models.standard_normal(latent_dim),
)
history = training.fit(vae, train_images, epochs=passes * budget.batchnorm_epochs, peak_rate=2e-3, verbose=1)
print(f"{encoder_network.count_params() + decoder_network.count_params():,} parameters")

# %% [markdown]
# One number for this model too. Beside it: the mean image under the same likelihood, and the same networks with the
# variance that fits them, their own mean squared error.

# %% tags=["claim"]
grey_test = data.to_float(fashion.test_images)
mean_image = train_images.mean(axis=0) / 255
gaussian = elbo.evaluate(vae, grey_test)
constant = 392 * np.log(2 * np.pi * variance)  # D/2 log(2 pi sigma^2), the part that the published loss leaves out
no_latent_grey = constant + 1000 * np.mean((grey_test - mean_image) ** 2)
error = np.mean((grey_test[:2000] - vae.decoder(vae.encoder(grey_test[:2000]).sample()).mean()) ** 2)
calibrated = 392 * (np.log(2 * np.pi * error) + 1) + gaussian["kl"]
print(
    f"-ELBO {gaussian['negative_elbo']:.1f}, of which KL {gaussian['kl']:.1f}; the mean image: {no_latent_grey:.1f} nats"
)
print(f"published loss 1000 x MSE + KL: {gaussian['negative_elbo'] - constant:.1f}")
print(f"error of a pixel {error**0.5:.2f}; with that as its noise, the model has a -ELBO of {calibrated:.0f} nats")
np.testing.assert_allclose(gaussian["reconstruction"], constant + 1000 * error, atol=2)
assert no_latent_grey - gaussian["negative_elbo"] > (35 if trained_long else 10)
assert 2.5 < (variance / error) ** 0.5 < 3.5 if trained_long else error < variance
assert calibrated < gaussian["negative_elbo"] - (550 if trained_long else 300)

# %% [markdown]
# The model claims three times the error that it makes. A negative loss is no mistake: grey levels have a *density*,
# which may be larger than 1. Lesson 06 trains with the calibrated variance.

# %% [markdown]
# ## Reconstruct 25 garments

# %% alt="25 test garments, each beside its reconstruction, with the class name above the pair"
originals = data.to_float(fashion.test_images[:25])
reconstructed = vae.decoder(vae.encoder(originals).mean()).mean().numpy()
side_by_side = np.concatenate([originals, reconstructed], axis=2)
plots.show_images(
    side_by_side,
    [names[label] for label in fashion.test_labels[:25]],
    columns=5,
    size=1.7,
    title="25 test images, each with its reconstruction on the right",
)

# %% [markdown]
# The kind of garment is mostly kept: shoes stay shoes. The class often is not: a sandal comes back as a sneaker, a
# shirt as a pullover. Prints, straps and stripes are gone. Two numbers cannot hold them, and squared error prefers an
# average to a guess.
#
# As numbers: the share of the test images' variance around the mean image that the reconstruction explains, and the
# verdict of a judge that has seen only real images, a vote of the five nearest training images.

# %% tags=["claim"]
test_images = data.to_float(fashion.test_images)
means = np.concatenate(
    [vae.decoder(vae.encoder(test_images[i : i + 1000]).mean()).mean() for i in range(0, len(test_images), 1000)]
)
explained = 1 - np.mean((test_images - means) ** 2) / np.mean((test_images - mean_image) ** 2)
print(f"explained variance on the test set: {explained:.1%}")

reference = data.to_float(train_images[:5000]).reshape(-1, 784)
judge = KNeighborsClassifier(5).fit(reference, fashion.train_labels[: len(reference)])
kind_of = np.array([0, 1, 0, 0, 0, 2, 0, 2, 3, 2])  # tops and dresses, trousers, shoes, bags


def judged(images):
    return judge.predict(np.asarray(images).reshape(len(images), -1))


truth, same_class, same_kind = fashion.test_labels[:1000], {}, {}
for name, images in {"originals": test_images[:1000], "reconstructions": means[:1000]}.items():
    votes = judged(images)
    same_class[name], same_kind[name] = np.mean(votes == truth), np.mean(kind_of[votes] == kind_of[truth])
    print(f"{name:15s}: class right {same_class[name]:.0%}, kind right {same_kind[name]:.0%}")
assert explained > (0.59 if trained_long else 0.25)
assert same_class["reconstructions"] < same_class["originals"] - 0.05
assert same_kind["reconstructions"] > same_class["reconstructions"] + (0.32 if trained_long else 0.1)

# %% [markdown]
# ## Compare its plane with the autoencoder's
#
# Here is the autoencoder of lesson 01 again, with a linear code of two numbers, on the same images. Nothing in its loss
# asks where the codes should lie.

# %%
ae_encoder, ae_decoder = networks.dense_autoencoder_networks(latent_dim, activation="linear")
autoencoder = keras.Sequential([ae_encoder, ae_decoder])
autoencoder.compile(keras.optimizers.Adam(2e-3, jit_compile=False), loss="mse")
pairs = data.batches(train_images, 128, seed=runtime.SEED).map(lambda images: (images, images))
autoencoder.fit(pairs, epochs=6 * passes, verbose=0)

ae_codes = ae_encoder.predict(test_images[:5000], verbose=0)
vae_codes = np.concatenate([vae.encoder(test_images[i : i + 500]).mean() for i in range(0, len(ae_codes), 500)])
for name, codes in {"autoencoder": ae_codes, "VAE": vae_codes}.items():
    low, high = codes.min(axis=0), codes.max(axis=0)
    print(f"{name:12s} first {low[0]:7.2f} to {high[0]:6.2f}   second {low[1]:7.2f} to {high[1]:6.2f}")

# %% alt="5,000 test images in the code plane of the autoencoder, left, and of the VAE, right, coloured by class, each with the prior's circle of two standard deviations: the VAE's codes fill it, the autoencoder's lie far outside"
figure, axes = plt.subplots(1, 2, figsize=(13, 6))
for axis, (name, codes) in zip(axes, {"Autoencoder": ae_codes, "VAE": vae_codes}.items(), strict=True):
    low, high = codes.min(axis=0), codes.max(axis=0)
    ranges = f"[{low[0]:.1f}, {high[0]:.1f}] x [{low[1]:.1f}, {high[1]:.1f}]"
    plots.latent_plane(axis, codes, fashion.test_labels[:5000], names, f"{name}: codes in {ranges}")
    axis.add_patch(Ellipse((0, 0), 4, 4, fill=False, edgecolor=plots.DARK, lw=2, ls="--"))
    axis.set_aspect("equal")
plt.show()

# %% [markdown]
# The ranges are printed above each plane; the dashed circle has two of the prior's standard deviations. The
# autoencoder's codes lie where the training happened to push them, off centre and on a scale of their own. The VAE's
# lie around the origin on the prior's scale, because the KL charges for anything else.

# %% tags=["claim"]
for name, codes in {"autoencoder": ae_codes, "VAE": vae_codes}.items():
    centre, spread = codes.mean(axis=0), codes.std(axis=0)
    print(f"{name:12s} centre {centre.round(2)}, standard deviation {spread.round(2)}")


def distance_from_standard(codes):
    return np.abs(codes.mean(axis=0)).max() + np.abs(np.log(codes.std(axis=0))).max()


assert distance_from_standard(vae_codes) < 0.8
assert distance_from_standard(ae_codes) > 1.5 * distance_from_standard(vae_codes)

# %% [markdown]
# ## Generate garments
#
# To generate is to pick codes without an image. For the autoencoder we only know the bounds of the codes that we have
# seen, so we draw uniformly between them.
#
# > **A common mistake.** One published notebook draws `x * (max - abs(min))` with `x` between 0 and 1. For bounds of -3
# > and 4 that is 0 to 1: it never goes below zero. Right is `min + x * (max - min)`. Print the smallest draw and you
# > see it.


# %% tags=["claim"]
def uniform_codes(codes, number, generator):
    low, high = codes.min(axis=0), codes.max(axis=0)
    return (low + generator.random((number, codes.shape[1])) * (high - low)).astype(np.float32)


generator = np.random.default_rng(5)
drawn_codes = uniform_codes(vae_codes, 1000, generator)
print("smallest draws:", drawn_codes.min(axis=0).round(2), " smallest codes:", vae_codes.min(axis=0).round(2))
low, high = vae_codes.min(axis=0), vae_codes.max(axis=0)
assert np.all(drawn_codes >= low) and np.all(drawn_codes <= high)
np.testing.assert_allclose(
    drawn_codes.mean(axis=0), (low + high) / 2, atol=5 * ((high - low) / 12**0.5 / 1000**0.5).max()
)

# %% alt="Rows of generated garments: autoencoder with uniform, with normal and with fitted normal codes, VAE with uniform and with normal codes"
normal_codes = generator.standard_normal((1000, latent_dim)).astype(np.float32)
fitted_codes = generator.multivariate_normal(ae_codes.mean(axis=0), np.cov(ae_codes.T), 1000).astype(np.float32)
generated = {
    "autoencoder\nuniform": ae_decoder.predict(uniform_codes(ae_codes, 1000, generator), verbose=0),
    "autoencoder\nnormal": ae_decoder.predict(normal_codes, verbose=0),
    "autoencoder\nfitted normal": ae_decoder.predict(fitted_codes, verbose=0),
    "VAE\nuniform": vae.decoder(drawn_codes).mean().numpy(),
    "VAE\nnormal": vae.decoder(normal_codes).mean().numpy(),
}
plots.compare_rows(
    {name: images[:12] for name, images in generated.items()}, title="Garments from codes that no image was asked for"
)

# %% [markdown]
# The last row has draws from the model's own prior. The third is the fair control: a normal distribution *fitted* to
# the autoencoder's codes afterwards. Do not judge by sharpness: the autoencoder has had six epochs and pays no KL, the
# VAE one. A row may look fine and still leave most classes out. So ask the judge which class each generated picture
# belongs to.


# %% tags=["claim"]
def class_shares(images):
    return np.bincount(judged(images), minlength=10) / len(images)


def effective_classes(shares):
    """exp(entropy): 10 for equal shares, 1 when everything is one class."""
    shares = shares[shares > 0]
    return np.exp(-np.sum(shares * np.log(shares)))


shares = {
    "test images": class_shares(test_images[:1000]),
    **{name: class_shares(images) for name, images in generated.items()},
}
for name, values in shares.items():
    print(f"{name.replace(chr(10), ', '):26s} effective number of classes {effective_classes(values):.1f}")
assert effective_classes(shares["VAE\nnormal"]) > (7.5 if trained_long else 5)
for row in ("uniform", "fitted normal"):
    assert effective_classes(shares[f"autoencoder\n{row}"]) > (6.5 if trained_long else 4)

# %% [markdown]
# Both can land on most classes, the autoencoder's fitted codes no less. The difference is where draws fall. A code is
# *in a gap* if no code of a test image lies within a quarter of the codes' own standard deviation of it. There the
# decoder was never asked for anything. **Predict, then run:** put the four ways to draw in order, the smallest share in
# gaps first.


# %% tags=["claim"]
guessed_order = None  # your guess here: the four names below, as a list, smallest share first


def share_in_gaps(draws, codes):
    spread = codes.std(axis=0)
    distance, _ = NearestNeighbors(n_neighbors=1).fit(codes / spread).kneighbors(draws / spread)
    return np.mean(distance > 0.25)


gaps = {
    "autoencoder, uniform": share_in_gaps(uniform_codes(ae_codes, 1000, generator), ae_codes),
    "VAE, uniform": share_in_gaps(drawn_codes, vae_codes),
    "autoencoder, fitted normal": share_in_gaps(fitted_codes, ae_codes),
    "VAE, normal": share_in_gaps(normal_codes, vae_codes),
}
for name, share in gaps.items():
    print(f"{name:26s} {share:.0%} of the draws fall into a gap")
selftest.compare(guessed_order, sorted(gaps, key=gaps.get), "smallest share first")
assert gaps["autoencoder, uniform"] > (0.25 if trained_long else 0.15)
assert gaps["VAE, normal"] < (0.25 if trained_long else 0.7) * gaps["autoencoder, uniform"]
if trained_long:
    assert gaps["VAE, normal"] < 0.75 * gaps["autoencoder, fitted normal"] and gaps["VAE, uniform"] > 0.15

# %% [markdown]
# From a box, a good part of the draws falls into gaps for either model, and the fitted normal finds
# most of the autoencoder's garments. The VAE needs no fit: where to draw was settled before the training, and fewer of
# those draws miss. That is what the KL pays for.

# %% [markdown]
# ## Go on with your own images, and with labels
#
# Two things are left that people want from a VAE. To train it on a folder of *their* images, of any size and format:
# one line, `data.load_folder("your/folder", size=64)`, and networks that follow the shape. And to ask for an image by
# its name: a
# *conditional* VAE, with the label in the networks. [Appendix A5](A5_labels_and_own_images.ipynb) does both, and measures
# what the label is worth in the decoder and in the encoder.

# %% [markdown]
# ## In this notebook we saw
#
# - The ELBO from one draw and the ELBO with the analytic KL are two estimates of the same number of nats per image.
# - A VAE arranges its latent plane around the prior, with few gaps where the prior draws, and each image holds an
#   ellipse of it rather than a point.
# - A bound belongs to the networks as well: fully connected ones save nats in the same plane.
# - A weight in front of the squared error is the noise level of a Gaussian likelihood.
# - Draws from the prior decode to garments for a VAE. For an autoencoder you have to find out where to draw.
#
# Next: [lesson 06](06_cartoon_set.ipynb), the same ideas at 256x256 in colour.
#
# **An open problem.** Turn the plane of the first model by an angle, and both networks with it. Every posterior turns too,
# and a diagonal $q$ can only approximate it. How many nats does that cost, on average over the test images, and at which
# angle most?
#
# <details><summary>A hint</summary>
#
# The best diagonal $q$ misses a tilted normal by $-\frac{1}{2} \ln(1 - \rho^2)$ nats (lesson 02). Turn each ellipse and
# read off its correlation $\rho$.
#
# </details>
#
# ## Test yourself
#
# Run the cell and click on an answer: it tells you whether it is right, and why.

# %% tags=["self-test"]
selftest.ask("05")

# %% [markdown]
# ## Sources and further reading
#
# - D. P. Kingma, M. Welling, [Auto-Encoding Variational Bayes](https://arxiv.org/abs/1312.6114), 2013.
# - H. Xiao, K. Rasul, R. Vollgraf, [Fashion-MNIST](https://arxiv.org/abs/1708.07747), 2017; the images are under the
#   MIT licence of Zalando SE.
# - M. Rolinek, D. Zietlow, G. Martius, [Variational Autoencoders Pursue PCA Directions (by
#   Accident)](https://arxiv.org/abs/1812.06775), 2019: why the axes are not free.
# - O. Rybkin, K. Daniilidis, S. Levine, [Simple and Effective VAE Training with Calibrated
#   Decoders](https://arxiv.org/abs/2006.13202), 2021: why to read weights as variances.
# - G. Loaiza-Ganem, J. P. Cunningham, [The continuous Bernoulli](https://arxiv.org/abs/1907.06845), 2019: a likelihood
#   for grey pixels in [0, 1].

# %% [markdown] tags=["solution"]
# ---
# ## Solutions
#
# Collapsed. Click on the dots of a cell to see its code; what it prints is the verdict of the check.


# %% tags=["solution"] jupyter={"source_hidden": true}
def log_likelihood_by_hand(images, logits):
    """ln p = logit - softplus(logit) and ln (1 - p) = -softplus(logit): the softplus comes out once."""
    return tf.reduce_sum(images * logits - tf.nn.softplus(logits), axis=[1, 2, 3])


checks.log_likelihood(log_likelihood_by_hand)


# %% tags=["solution"] jupyter={"source_hidden": true}
def quantile_grid(number):
    """The middle of each of `number` equal shares: the quantiles 0 and 1 would lie at infinity."""
    positions = tfd.Normal(0.0, 1.0).quantile((np.arange(number, dtype=np.float32) + 0.5) / number)
    return np.stack(np.meshgrid(positions, positions), axis=-1).reshape(-1, 2)


checks.prior_grid(quantile_grid)


# %% tags=["solution"] jupyter={"source_hidden": true}
def interpolate(start, end, steps):
    """A column of shares against a row of dimensions."""
    share = tf.linspace(0.0, 1.0, steps)[:, None]
    return start + share * (end - start)


checks.interpolate(interpolate)


# %% [markdown] tags=["solution"]
# **The open problem.** An ellipse with the variances $a$ and $b$ along the axes, turned by $\theta$, has the variances
# $a \cos^2 \theta + b \sin^2 \theta$ and $a \sin^2 \theta + b \cos^2 \theta$ and the covariance $(a - b) \sin \theta \cos \theta$. A circle
# costs nothing at any angle. Standard deviations of 0.05 and 0.2 cost 0.75 nats at 45 degrees, where every ellipse
# costs most; a quarter turn exchanges the axes and is free. So the bound holds the axes to the directions of the
# ellipses, and the more strongly, the longer these are.

# %% tags=["solution"] jupyter={"source_hidden": true} alt="Nats lost by the best diagonal q against the angle by which the latent plane is turned: zero at 0 and 90 degrees, largest at 45, on average over the test images and for one long ellipse"
angles = np.deg2rad(np.arange(0, 91, 5))[:, None]


def price_of_turning(first, second):
    """Nats that the best diagonal q loses for ellipses with these variances: shape (angles, images)."""
    one = first * np.cos(angles) ** 2 + second * np.sin(angles) ** 2
    other = first * np.sin(angles) ** 2 + second * np.cos(angles) ** 2
    covariance = (first - second) * np.sin(angles) * np.cos(angles)
    return -0.5 * np.log1p(-(covariance**2) / (one * other))


first, second = np.exp(model.encode(binary_test[:2000])[1].numpy().astype(np.float64)).T
prices = {"mean over 2,000 test images": price_of_turning(first, second).mean(axis=1)}
prices["one ellipse, 0.05 by 0.2"] = price_of_turning(np.array([0.05**2]), np.array([0.2**2]))[:, 0]
figure, axis = plt.subplots(figsize=(7.5, 4))
for (name, values), dash in zip(prices.items(), ("-", "--"), strict=True):
    axis.plot(np.rad2deg(angles[:, 0]), values, dash, label=f"{name}: {values.max():.2f} nats at 45°")
    assert values.argmax() == 9 and values[0] < 1e-12 and values[-1] < 1e-12
axis.set(xlabel="angle of the turn (degrees)", ylabel="nats per image", ylim=(None, 1.05))
axis.set_title("A turned plane costs, a quarter turn is free")
axis.legend(loc="upper center")
plt.show()
np.testing.assert_allclose(prices["one ellipse, 0.05 by 0.2"].max(), 0.754, atol=1e-3)
