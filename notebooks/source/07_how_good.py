# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 · How good is my VAE?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/vae-course/vae-course/blob/main/notebooks/07_how_good.ipynb)
#
# ![Distortion against rate for models with KL weights from 0.2 to 20: they lie on one falling curve, and the weight of 1 touches the lowest line of equal negative ELBO](figures/07_rate_distortion.png)
#
# Each point is a VAE. All have the same networks and the same data, and differ in the weight of the KL. Which is the best?
# That depends on what you want, and on which number you look at. This lesson measures VAEs with numbers that can be
# compared, and shows six that cannot.

# %% [markdown]
# **You will do**
# - find the exact log p(x) of a VAE, and see how far below it the ELBO stays, and why;
# - draw the curve of rate and distortion, and count the dimensions that a model uses;
# - make a posterior collapse, and cure it in three ways;
# - compare four likelihoods for grey pixels in nats of the same kind.
#
# **You will learn**
# - what a bound, a rate, an active unit, a hole, a precision and a gap are, and which of them a model's purpose asks for;
# - which differences between two numbers mean nothing.
#
# **You need** lessons [04](04_tfp_vae.ipynb) and [05](05_fashion_mnist_vae.ipynb), or a VAE of your own to judge. Words are
# explained in the [glossary](../site/glossary.md).
#
# **Time:** about five minutes of computing at the `laptop` budget on two cores, and two to three hours of study.

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

budget = runtime.start("07")

# %%
import lzma
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras
from matplotlib.patches import Ellipse
from scipy.integrate import trapezoid
from scipy.special import logsumexp
from sklearn.mixture import GaussianMixture

from course_utils import checks, data, drawn, explorer, metrics, models, networks, plots, pretrained, selftest, training

tfb, tfd, tfpl, layers = tfp.bijectors, tfp.distributions, tfp.layers, keras.layers
rng = np.random.default_rng(runtime.SEED)

# %% [markdown]
# ## Train a model to be judged
#
# Garments again, cut at one half, in the dense networks of lesson 05. Everything that follows is measured on test
# images, which no training sees.

# %%
fashion = data.load_fashion_mnist()
plots.label_source(fashion)
print(fashion)
train_images, test_images = fashion.train_images[: budget.images], data.binarise(fashion.test_images[:4000])
trained_long = fashion.is_real and budget.name != "smoke"  # claims are sharper then


def train(latent_dim=10, beta=1.0, images=train_images, likelihood=models.bernoulli_of, seed=runtime.SEED, **options):
    """A dense VAE, trained on binary garments unless other images are given."""
    runtime.set_seed(seed)
    encoder, decoder = networks.dense_vae_networks(latent_dim, width=128)
    vae = models.VAE(models.posterior_of(encoder), likelihood(decoder), models.standard_normal(latent_dim), beta=beta)
    settings = {"epochs": budget.epochs, "peak_rate": 3e-3, "batch_size": 100, "transform": "binarise"} | options
    training.fit(vae, images, **settings)
    return vae


plane = train(latent_dim=2)
report = metrics.rate_distortion(plane, test_images)
for name, (mean, error) in report._asdict().items():
    print(f"{name.replace('_', ' '):14s}{mean:8.2f} ± {error:.2f} nats per image")

# %% [markdown]
# Two codes an image. The *distortion* is $\mathbb{E}_q[-\log p(x|z)]$, the *rate* is $\mathrm{KL}(q(z|x) \,\|\, p(z))$, and
# the negative ELBO is their sum. The error is that of a mean over these images: another 4,000 would give another
# number. Most of it comes from images that are hard for every model, so it is too wide for comparing two models on the
# *same* images: take the difference image by image first.
#
# ## Hold the bound against log p(x)
#
# The ELBO is a lower bound on $\log p(x)$. How far below? With $k$ draws $z_i \sim q(z|x)$ there is a better bound (Burda
# et al. 2015). Weigh each draw by $w_i = p(x, z_i) / q(z_i|x)$. The mean weight is $p(x)$ in expectation, and
#
# $$\mathcal{L}_k = \mathbb{E}\,\log \frac1k \sum_{i=1}^k w_i \;\le\; \log p(x), \qquad \mathcal{L}_1 = \text{ELBO}.$$
#
# ### Exercise 1: the importance-weighted bound
#
# From the logarithms of the weights, shape `(k, batch)`, return the bound of each image. Weights of images are as small as
# $e^{-900}$, and float32 ends at $e^{-103}$.


# %% tags=["exercise"]
def importance_weighted(log_weights):
    return tf.zeros(log_weights.shape[1])  # your code here


checks.importance_weighted(importance_weighted)

# %% [markdown]
# With two codes we can do without a bound. A sum over a fine grid of codes *is* $p(x) = \int p(x|z)\, p(z)\, dz$, to many
# digits. `metrics.importance_weighted_bound` has the bound for any $k$.


# %%
def log_joint(vae, z, images):
    """log p(x, z) of a model with two codes, for every image and every z: shape ``(images, codes)``."""
    logits, flat = tf.reshape(vae.decoder.layers[0](z), (len(z), -1)), images.reshape(len(images), -1)
    return flat @ tf.transpose(logits) - tf.reduce_sum(tf.nn.softplus(logits), axis=1) + vae.prior.log_prob(z)


def log_evidence(vae, images, points=budget.grid, reach=5.0):
    """log p(x) of each image, by a sum over a grid of codes."""
    axis, total = np.linspace(-reach, reach, points, dtype=np.float32), -np.inf
    for first in axis:
        z = np.stack([np.full_like(axis, first), axis], axis=1)
        total = np.logaddexp(total, logsumexp(np.float64(log_joint(vae, z, images)), axis=1))
    return total + 2 * np.log(axis[1] - axis[0])


few = test_images[: budget.bound_images]
truth = log_evidence(plane, few)
ks = [1, 10, 100, 1000]
bounds = {k: metrics.importance_weighted_bound(plane, few, k=k) for k in ks}
for k, bound in bounds.items():
    print(f"k = {k:5d}: {bound.mean:8.2f} nats per image, {truth.mean() - bound.mean:5.2f} below log p(x)")
print(f"log p(x):  {truth.mean():8.2f}")

# %% tags=["claim"]
slack = [truth.mean() - bounds[k].mean for k in ks]
assert np.all(np.diff(slack) < 0)
assert slack[0] > (2.5 if trained_long else 0.5) and 0 < slack[-1] < (0.5 if trained_long else 0.8) * slack[0]

# %% [markdown]
# The ELBO understates this model by more than two nats. And the last nat comes slowly. Where $q$ misses the true posterior,
# a thousand draws from it miss too.
#
# ### Do not rank models by the bound
#
# Lesson 05's plane comes with the course: the networks of system 9, after 20 epochs on 60,000 garments. It is the better
# model. By how many nats?

# %% alt="The bound against k for this lesson's plane and the course's, each below a dashed line at its log p(x): the two lines lie twice as far apart as the two bounds at k = 1"
course = pretrained.load("plane")
course_truth = log_evidence(course, few, budget.grid // 2)
course_bounds = {k: metrics.importance_weighted_bound(course, few, k=k) for k in ks[:3]}
both = {"the course's plane": (course_bounds, course_truth), "this lesson's plane": (bounds, truth)}
figure, axis = plt.subplots(figsize=(8.5, 4))
for (name, (values, exact)), colour, marker in zip(
    both.items(), (plots.ORANGE, plots.BLUE), plots.MARKERS, strict=False
):
    axis.plot(list(values), [bound.mean for bound in values.values()], color=colour, marker=marker, label=name)
    axis.axhline(exact.mean(), color=colour, ls="--")
    axis.annotate("log p(x)", (ks[-1], exact.mean()), (0, 4), textcoords="offset points", ha="right")
axis.set(xlabel="k", ylabel="nats per image", xscale="log", title="The likelihoods are further apart than the bounds")
axis.legend()
plt.show()

# %% tags=["claim"]
better = {"ELBO": course_bounds[1].mean - bounds[1].mean, "log p(x)": np.mean(course_truth - truth)}
for name, difference in better.items():
    print(f"{name:9s} the course's plane is better by {difference:5.1f} nats per image")
paired = np.std(course_truth - truth, ddof=1) / len(truth) ** 0.5
apart = np.hypot(np.std(course_truth, ddof=1), np.std(truth, ddof=1)) / len(truth) ** 0.5
print(f"standard error of the last one: {paired:.1f} from the differences, {apart:.1f} if the images were not the same")
assert apart > (2 if trained_long else 1) * paired and (not trained_long or better["log p(x)"] > 5 * paired)
if trained_long:
    assert 7 < better["ELBO"] < 11.5 and 13 < better["log p(x)"] < 17
    assert course_truth.mean() - course_bounds[1].mean > 2 * slack[0]

# %% [markdown]
# By nine nats, says the bound; by almost fifteen, says the likelihood. Both models saw the same images, so the error that
# counts is that of the differences: hard images are hard for both. The gap of the course's plane is twice as wide or more:
# its posteriors are harder to approximate, and the bound charges for that. Here the order stays. With two models that lie
# closer together it can turn. So give $\mathcal{L}_k$ beside the ELBO, and say $k$.
#
# ### Find out what the gap is made of
#
# The gap is $\mathrm{KL}(q(z|x) \,\|\, p(z|x))$, and has two parts. A diagonal Gaussian cannot have the shape of the true
# posterior: the gap of the *family*. And one network answers for all images, and may not find the best Gaussian for this one:
# the gap of *amortisation*. To tell them apart, forget the encoder, and fit a Gaussian to each image by itself.


# %%
def losses(mean, log_sd, samples):
    """The negative ELBO of every image under Gaussians with these parameters, from some draws each."""
    q = tfd.MultivariateNormalDiag(mean, tf.exp(log_sd))
    z = q.sample(samples)
    logits = tf.reshape(plane.decoder.layers[0](tf.reshape(z, (-1, 2))), (samples, len(few), 28, 28, 1))
    likelihood = tfd.Independent(tfd.Bernoulli(logits=logits), 3).log_prob(few)
    return tfd.kl_divergence(q, plane.prior) - tf.reduce_mean(likelihood, axis=0)


posterior = plane.encoder(few)
mean, log_sd = tf.Variable(posterior.mean()), tf.Variable(tf.math.log(posterior.stddev()))
optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, budget.fit_steps), jit_compile=False)


@tf.function
def step():
    optimizer.minimize(lambda: tf.reduce_sum(losses(mean, log_sd, 8)), [mean, log_sd])


amortised = -np.mean([losses(mean, log_sd, 20) for _ in range(20)], axis=0, dtype=np.float64)
for _ in range(budget.fit_steps):
    step()
fitted = -np.mean([losses(mean, log_sd, 20) for _ in range(20)], axis=0, dtype=np.float64)
gaps = {"amortisation": fitted - amortised, "family": truth - fitted}

# %% tags=["claim"]
for name, gap in gaps.items():
    print(f"{name:13s}{gap.mean():6.2f} ± {gap.std() / len(gap) ** 0.5:.2f} nats per image")
np.testing.assert_allclose(sum(gap.mean() for gap in gaps.values()), truth.mean() - bounds[1].mean, atol=1)
assert gaps["amortisation"].mean() > 2 * gaps["family"].mean() > 0
assert not trained_long or gaps["family"].mean() < slack[-1]

# %% alt="Four images, each with its exact posterior as a grey spot in the plane, the encoder's Gaussian as a dashed ellipse, and the fitted Gaussian as a solid one, which lies on the spot"
figure, axes = plt.subplots(1, 4, figsize=(13, 3.7))
for axis, image in zip(axes, np.argsort(gaps["amortisation"])[[len(few) // 2, len(few) * 3 // 4, -2, -1]], strict=True):
    q = {
        "encoder": (posterior.mean()[image], posterior.stddev()[image]),
        "fitted": (mean[image], tf.exp(log_sd[image])),
    }
    ends = [np.stack([centre - 4 * sd, centre + 4 * sd]) for centre, sd in q.values()]
    low, high = np.min(ends, axis=(0, 1)), np.max(ends, axis=(0, 1))
    across, up = np.meshgrid(*(np.linspace(*end, 90, dtype=np.float32) for end in zip(low, high, strict=True)))
    density = (
        log_joint(plane, np.stack([across.ravel(), up.ravel()], axis=1), few[image : image + 1]).numpy().reshape(90, 90)
    )
    axis.contourf(across, up, np.exp(density - density.max()), levels=np.linspace(0.02, 1, 12), cmap="Greys")
    for (centre, sd), colour, dash in zip(q.values(), (plots.ORANGE, plots.BLUE), ("--", "-"), strict=True):
        axis.add_patch(Ellipse(centre, *(4 * sd), fill=False, ec=colour, ls=dash, lw=2))
    parts = [gap[image].round(1) + 0.0 for gap in gaps.values()]
    axis.set(title="{:.1f} + {:.1f} nats".format(*parts), xlabel="first dimension")
axes[0].set_ylabel("second dimension")
figure.suptitle("True posterior (grey), encoder (dashed), best Gaussian (solid): amortisation + family", fontsize=14)
plt.show()

# %% [markdown]
# Few images make most of the gap: those whose ellipse lies beside the spot. One draw from a Gaussian of their own is worth
# more than a thousand from the encoder's. A richer family would win little here. A better encoder would win a lot, with the
# same decoder.
#
# ## Draw the curve of rate and distortion
#
# A weight $\beta$ on the KL trades one term for the other. Train with five weights, and put rate against distortion
# (Alemi et al. 2018). On a dashed line the negative ELBO is the same everywhere.

# %%
betas = (0.2, 1.0, 2.0, 5.0, 20.0)
weighted = {beta: train(beta=beta) for beta in betas}
curve = {beta: metrics.rate_distortion(vae, test_images) for beta, vae in weighted.items()}
for beta, (bound, distortion, rate) in curve.items():
    print(f"beta {beta:4g}: rate {rate.mean:6.2f}  distortion {distortion.mean:7.2f}  -ELBO {bound.mean:7.2f} nats")

# %% tags=["front-rate_distortion"] alt="Distortion against rate for KL weights from 0.2 to 20, on one falling curve; dashed lines of equal negative ELBO; the weight of 1 lies closest to the lowest line, the weight of 2 to its left"
figure, axis = plt.subplots(figsize=(8.5, 5))
rates, distortions = (
    np.array([getattr(point, name).mean for point in curve.values()]) for name in ("rate", "distortion")
)
axis.plot(rates, distortions, "o-", zorder=3)
for beta, across, up in zip(betas, rates, distortions, strict=True):
    note = ", lesson 04's doubled KL" if beta == 2 else ""
    axis.annotate(f"β = {beta:g}{note}", (across, up), (8, 8), textcoords="offset points")
line = np.linspace(0, rates.max() * 1.1, 2)
for total in np.arange(10 * (min(rates + distortions) // 10), max(rates + distortions) + 10, 20):
    axis.plot(line, total - line, "--", color="#999999", lw=1)
axis.set(
    xlabel="rate (nats per image)",
    ylabel="distortion (nats per image)",
    ylim=(distortions.min() - 8, distortions.max() + 12),
)
axis.set_title("Every β buys another rate. β = 1 has the best bound")
plt.show()

# %% tags=["claim"]
assert np.all(np.diff(rates) < 0) and np.all(np.diff(distortions) > 0)
totals = {beta: curve[beta].negative_elbo.mean for beta in (betas if trained_long else betas[1:])}
assert min(totals, key=totals.get) == 1
slopes = -np.diff(distortions) / np.diff(rates)
print("nats of distortion saved by one more nat of rate, between neighbours:", slopes.round(2))
if trained_long:  # short trainings: a slope is known to some ten per cent
    assert all(0.85 * low < slope < 1.15 * high for low, slope, high in zip(betas, slopes, betas[1:], strict=False))

# %% [markdown]
# One more nat of rate saves between $\beta_1$ and $\beta_2$ nats of distortion on the way from one point to the next, within
# what such short trainings can show: the slope of the curve is $-\beta$, and this is what the weight means. The doubled KL of lesson 04 is the point at $\beta = 2$,
# a model of its own on the same curve, with a worse bound.
#
# ## Count the dimensions that pay
#
# How many codes does a garment need? A unit counts as *active* if its posterior mean varies over the images; Burda et al.
# (2015) ask for a variance above 0.01. **Predict, then run**: of 50 dimensions, how many carry more than 0.1 nats?

# %%
guessed_units = None  # your guess here, from 0 to 50

# %%
wide = {latent_dim: train(latent_dim) for latent_dim in (5, 20, 50)} | {2: plane, 10: weighted[1.0]}
dimensions = {}
for latent_dim in sorted(wide):
    bound, _, rate = metrics.rate_distortion(wide[latent_dim], test_images)
    each = np.sort(metrics.kl_per_dimension(wide[latent_dim], test_images))[::-1]
    dimensions[latent_dim] = bound.mean, each, metrics.active_units(wide[latent_dim], test_images)
    print(
        f"{latent_dim:2d} dimensions: -ELBO {bound.mean:6.2f}, rate {rate.mean:5.2f}, above 0.1 nats {np.sum(each > 0.1):2d}, "
        f"active at 0.01 {dimensions[latent_dim][2]:2d}"
    )
used = {latent_dim: int(np.sum(each > 0.1)) for latent_dim, (_, each, _) in dimensions.items()}
selftest.compare(guessed_units, used[50], "dimensions of 50 that carry more than 0.1 nats")

# %% alt="Nats per dimension, sorted, for models with 2 to 50 dimensions, on a logarithmic axis: the curves agree on the first six, fall below a tenth of a nat soon after, and trail off in hundredths"
figure, axis = plt.subplots(figsize=(8.5, 4))
for (latent_dim, (_, each, _)), marker in zip(dimensions.items(), plots.MARKERS, strict=False):
    axis.plot(np.arange(1, latent_dim + 1), each, marker=marker, ms=5, label=f"{latent_dim} dimensions")
axis.axhline(0.1, color=plots.DARK, lw=1, ls=":")
axis.set(xlabel="dimension, largest KL first", ylabel="KL (nats per image)", yscale="log")
axis.set_title("Six dimensions do most of the work, however many there are")
axis.legend()
plt.show()

# %% [markdown]
# The first six do most of the work, whatever the size of the code. The tail is not free: its hundredths add up, and
# fifty dimensions have a worse bound than ten, until a longer training silences them. At the paper's threshold of 0.01
# almost all fifty count as active, because their means still tremble. A count depends on the threshold and on the training:
# show the curve.
#
# Turn one dimension at a time, in the code of one garment, and leave the others alone:

# %% alt="One garment decoded while one of 50 dimensions goes from -2.5 to 2.5: in the rows of the dimensions that carry most it turns into other garments, in the row of the one that carries least nothing moves"
per_dimension = metrics.kl_per_dimension(wide[50], test_images)
order = np.argsort(-per_dimension)


def turned(dimension, steps=11):
    """The first test image, decoded with one dimension of its code set from -2.5 to 2.5."""
    z = np.tile(wide[50].encoder(test_images[:1]).mean(), (steps, 1))
    z[:, dimension] = np.linspace(-2.5, 2.5, steps)
    return wide[50].decoder(z).mean().numpy()


rows = {f"{per_dimension[which]:.2f} nats": turned(which) for which in (*order[:3], order[-1])}
plots.compare_rows(rows, title="A dimension that pays changes the garment. The last one does nothing")
plt.show()

# %% [markdown]
# Turn them yourself: two sliders have their names, and the plane is that of the two dimensions in which the means vary most.

# %% alt="The codes of test images in the two of 50 dimensions in which they vary most, and a grid of places in that plane, decoded"
unit = np.eye(50, dtype=np.float32)
named = {f"most, {per_dimension[order[0]]:.2f} nats": unit[order[0]]}
named[f"least, {per_dimension[order[-1]]:.2f} nats"] = unit[order[-1]]
explorer.plane(wide[50], test_images, fashion.test_labels[:4000], class_names=fashion.class_names, directions=named)

# %% tags=["claim"]
bound_of = {latent_dim: bound for latent_dim, (bound, _, _) in dimensions.items()}
assert bound_of[2] > bound_of[5] and used[2] == 2
moved = [images.std(axis=0).mean() for images in rows.values()]
if trained_long:
    assert bound_of[2] - bound_of[10] > 25 and bound_of[50] > bound_of[10] + 3
    assert all(6 <= used[latent_dim] <= 18 for latent_dim in (10, 20, 50)) and dimensions[50][2] > used[50]
    for _, each, _ in dimensions.values():
        assert each[:6].sum() > 0.8 * each.sum()
    assert moved[-1] < 0.1 * min(moved[:-1])

# %% [markdown]
# ## Make a posterior collapse, and cure it
#
# A decoder that sees the pixels before the one that it predicts can do without $z$: it knows the stroke so far. Then the
# bound has no reason to pay for a code. We build such a decoder from TFP's `Autoregressive`: the logits of the dense
# network, plus one matrix from all earlier pixels. A KL weight of 30 for two epochs, and the decoder has learned to live
# alone.


# %%
class PixelByPixel(tfd.Autoregressive):
    """TFP's distribution, with the shapes that it does not tell."""

    def _batch_shape(self):
        return self.sample0.shape[:1]

    def _event_shape(self):
        return tf.TensorShape((28, 28, 1))


class SeesPixelsBefore(keras.Model):
    """A decoder whose logits depend on z, and on the earlier pixels that a mask (784, 784) lets it see."""

    def __init__(self, network, mask):
        super().__init__()
        self.network, self.mask = network, tf.constant(mask, tf.float32)
        self.context = self.add_weight("context", (784, 784), initializer="zeros")

    def call(self, z, training=None):
        logits = self.network(z)

        def given(images):
            seen = tf.reshape(images, (-1, 784)) @ (self.context * self.mask)
            likelihood = tfd.Bernoulli(logits=logits + tf.reshape(seen, (-1, 28, 28, 1)), dtype=tf.float32)
            return tfd.Independent(likelihood, 3)

        return PixelByPixel(given, sample0=tf.zeros_like(logits), num_steps=784)


row, column = np.divmod(np.arange(784), 28)
everything = np.triu(np.ones((784, 784)), 1)
neighbours = everything * (abs(row[:, None] - row) <= 1) * (abs(column[:, None] - column) <= 1)

# %% [markdown]
# ### Exercise 2: free bits
#
# The three cures are: let the KL weight climb from zero (`training.KLWarmup`), give every dimension some nats for *free*,
# and show the decoder less, here the four neighbours that came before. The second one is yours. From the KL of each image
# in each dimension, shape `(batch, latent_dim)`, and a floor in nats, return the KL term of the loss (Kingma et al. 2016):
# average over the batch, count each dimension as the floor at least, and sum.


# %% tags=["exercise"]
def free_bits(kl, floor):
    return tf.constant(0.0)  # your code here


checks.free_bits(free_bits)


# %%
class FreeBitsVAE(models.VAE):
    """A VAE in whose loss every dimension has half a nat for free."""

    def negative_elbo(self, images, training=False, seed=None):
        _, reconstruction, kl = super().negative_elbo(images, training, seed)
        posterior = self.encoder(images)
        each = tfd.kl_divergence(tfd.Normal(posterior.mean(), posterior.stddev()), tfd.Normal(0.0, 1.0))
        free = tf.nn.relu(0.5 - tf.reduce_mean(each, axis=0))  # what is missing up to the floor
        return reconstruction + kl + tf.reduce_sum(free), reconstruction, kl


def train_seeing(mask, kind=models.VAE, callbacks=None):
    """Alone first, at a KL weight of 30; then a VAE at 1."""
    runtime.set_seed()
    encoder, decoder = networks.dense_vae_networks(10, width=128)
    parts = models.posterior_of(encoder), SeesPixelsBefore(decoder, mask), models.standard_normal(10)
    settings = {"peak_rate": 3e-3, "batch_size": 100, "transform": "binarise"}
    training.fit(models.VAE(*parts, beta=30.0), train_images[: budget.seen_images], epochs=2, **settings)
    vae = kind(*parts)
    epochs = budget.seen_epochs
    history = training.fit(vae, train_images[: budget.seen_images], epochs=epochs, callbacks=callbacks, **settings)
    return vae, history["kl"]


seeing = {
    "sees everything before": train_seeing(everything),
    "warm-up": train_seeing(everything, callbacks=[training.KLWarmup(budget.seen_epochs - 2)]),
    "free bits": train_seeing(everything, kind=FreeBitsVAE),
    "sees four neighbours": train_seeing(neighbours),
}

# %% alt="KL against the epoch for four trainings: below one nat for the decoder that sees everything before; higher with warm-up, with free bits, and for the decoder that sees four neighbours"
plots.curves(
    {name: kl for name, (_, kl) in seeing.items()},
    "One code is silent, and three cures make it speak",
    "KL (nats per image)",
)
plt.ylim(0, 1.6 * max(kl[-1] for _, kl in seeing.values()))
plt.show()

# %% [markdown]
# Diagnose all four. The rate tells most. The third column is blunter: decode the code of *another* image. If that costs
# nothing, nobody listens.


# %%
def report_on(vae):
    bound, distortion, rate = metrics.rate_distortion(vae, test_images)
    z = vae.encoder(test_images[:2000]).sample()
    wrong = -np.mean(vae.decoder(tf.roll(z, 1, axis=0)).log_prob(test_images[:2000]))
    own = -np.mean(vae.decoder(z).log_prob(test_images[:2000]))
    return bound.mean, rate.mean, wrong - own


health = {name: report_on(vae) for name, (vae, _) in {**seeing, "sees no pixel": (weighted[1.0], None)}.items()}
for name, (bound, rate, price) in health.items():
    print(f"{name:24s}-ELBO {bound:7.2f}   rate {rate:6.2f}   another image's code costs {price:7.2f} nats")

# %% [markdown]
# Now look at the bounds. The collapsed model has a far *better* one than the VAE that sees no pixel: the ELBO pays for
# codes only where the decoder needs them. Collapse is a disease if you want the code, and a warning in any case: warm-up
# makes the code speak *and* improves the bound, so the training had stopped in a bad place. Free bits buy more code for
# the same bound. The weaker decoder listens most, and pays for it.

# %% tags=["claim"]
collapsed, *cured = (health[name] for name in seeing)
assert collapsed[1] < (1.5 if trained_long else 3) and all(rate > collapsed[1] for _, rate, _ in cured)
assert all(price > collapsed[2] for _, _, price in cured)
assert collapsed[0] < health["sees no pixel"][0]
if trained_long:
    assert all(rate > 2 * collapsed[1] and price > 4 * collapsed[2] for _, rate, price in cured)
    assert health["warm-up"][0] < collapsed[0] - 1 and abs(health["free bits"][0] - collapsed[0]) < 2
    assert health["sees four neighbours"][0] > collapsed[0] + 5

# %% [markdown]
# ## Look for holes
#
# You draw from the prior $p(z)$. The decoder was trained on codes from the *aggregate posterior* $q(z)$, the mixture of the
# posteriors of all images. Where $p$ has mass and $q$ has none, there is a hole. The rate splits exactly (Hoffman and Johnson
# 2016):
#
# $$\text{rate} = I(n; z) + \mathrm{KL}(q(z) \,\|\, p(z)),$$
#
# what the code tells of *which* image it was, and how far all codes together are from the prior.

# %%
parts = {beta: metrics.kl_decomposition(vae, test_images) for beta, vae in weighted.items()}
for beta, (information, aggregate) in parts.items():
    total = information.mean + aggregate.mean
    print(
        f"beta {beta:4g}: I(n; z) {information.mean:5.2f} + KL(q(z) || p(z)) {aggregate.mean:5.2f} = rate {total:5.2f}"
    )
print(f"log of {len(test_images):,} images: {np.log(len(test_images)):.2f} nats, the most that I(n; z) can be")

# %% tags=["claim"]
for beta, (information, aggregate) in parts.items():
    np.testing.assert_allclose(information.mean + aggregate.mean, curve[beta].rate.mean, rtol=0.03)
    assert information.mean < np.log(len(test_images))
factor = 3 if trained_long else 1.5  # at least, from one to the next
from_prior = [parts[beta].aggregate_kl.mean for beta in (0.2, 1.0, 5.0)]
assert from_prior[0] > factor * from_prior[1] > factor**2 * from_prior[2]

# %% [markdown]
# A smaller $\beta$ buys rate, and beyond $\ln n$ all of it goes into distance from the prior.
#
# Holes can be seen where there are two codes. Draw from the prior, and divide $q(z)$ by $p(z)$ at each draw:

# %% alt="Left: the plane, blue where the aggregate posterior is denser than the prior and red in the holes, with a circle at two standard deviations. Middle: the 25 of 1,000 decoded draws that lie deepest in the holes inside the circle. Right: the first 25 draws"
q = plane.encoder(test_images)
every_image = tfd.Categorical(logits=tf.zeros(len(test_images)))
aggregate = tfd.MixtureSameFamily(every_image, tfd.MultivariateNormalDiag(q.mean(), q.stddev()))


def log_ratio(z):
    return np.concatenate([aggregate.log_prob(part) - plane.prior.log_prob(part) for part in np.array_split(z, 20)])


across, up = np.meshgrid(*2 * [np.linspace(-3, 3, 90, dtype=np.float32)])
ratio = log_ratio(np.stack([across.ravel(), up.ravel()], axis=1)).reshape(90, 90) / np.log(10)
z = plane.prior.sample(1000).numpy()
of_z = np.where(np.hypot(*z.T) < 2, log_ratio(z), np.inf)  # inside the circle
figure, axes = plt.subplots(1, 3, figsize=(13, 4.3), width_ratios=(1.2, 1, 1))
shown = axes[0].pcolormesh(across, up, ratio.clip(-2, 2), cmap="RdBu", vmin=-2, vmax=2)
figure.colorbar(shown, ax=axes[0], label="log10 of q(z) / p(z)")
axes[0].add_patch(Ellipse((0, 0), 4, 4, fill=False, ec=plots.DARK, ls="--", lw=2))
axes[0].set(xlabel="first dimension", ylabel="second dimension", title="Red: prior without codes")
for axis, where, title in zip(
    axes[1:], (np.argsort(of_z), np.arange(1000)), ("25 draws in the deepest holes", "The first 25 draws"), strict=True
):
    axis.imshow(plots.mosaic(plane.decoder(z[where[:25]]).mean().numpy(), columns=5, gap=1), vmin=0, vmax=255)
    axis.set_title(title)
    axis.axis("off")
plt.show()
print(
    f"inside the circle, q(z) is below a fifth of p(z) at {np.mean(of_z < np.log(0.2)):.1%} of all draws from the prior"
)

# %% [markdown]
# ### Ask a judge about the draws
#
# Do draws suffer? Compare 2,000 draws with 2,000 test images, in the features of a small classifier that we train here.
# *Precision* is the share of draws that lie where images lie, *recall* the share of images that draws reach (Kynkäänniemi
# et al. 2019). The Fréchet distance is that of two Gaussians fitted to the features. It is **not** the FID, which has its own
# network, so it can be compared with nothing outside this notebook. An autoencoder joins in: the same networks, no noise and
# no KL.

# %%
judge = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(256, "relu"), layers.Dense(32, "relu")]
)
classifier = keras.Sequential([judge, layers.Dense(10)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
classifier.compile(keras.optimizers.Adam(1e-3, jit_compile=False), loss, metrics=["accuracy"])
classifier.fit(data.binarise(train_images), fashion.train_labels[: budget.images], 100, epochs=4, verbose=0)
accuracy = classifier.evaluate(test_images, fashion.test_labels[:4000], verbose=0)[1]
print(f"the judge gets {accuracy:.1%} of the test images right")

ae_encoder, ae_decoder = networks.dense_vae_networks(10, width=128)
ae_encoder = keras.Sequential([ae_encoder, layers.Lambda(lambda outputs: outputs[:, :10])])
autoencoder = keras.Sequential([ae_encoder, ae_decoder])
pixel_loss = keras.losses.BinaryCrossentropy(from_logits=True)
autoencoder.compile(keras.optimizers.Adam(2e-3, jit_compile=False), pixel_loss)
binary = data.binarise(train_images)
autoencoder.fit(binary, binary, 100, epochs=budget.epochs, verbose=0)
ae_distortion = 784 * autoencoder.evaluate(test_images, test_images, verbose=0)
print(f"distortion of the autoencoder {ae_distortion:.2f} nats, of the VAE {curve[1.0].distortion.mean:.2f}")


# %% alt="Precision against recall: the VAEs lie on a falling curve, from high recall at a KL weight of 0.2 to high precision at 20; the autoencoder with a fitted normal has the recall of the first and less precision, other test images lie above the curve"
def features(images):
    return judge.predict(np.float32(images > 0.5), verbose=0)


def judged(draws):
    """Precision, recall, Fréchet distance and its standard error over the draws (a bootstrap), from 2,000 features."""
    again = [metrics.frechet_distance(of_data, draws[picked]) for picked in resampled]
    return *metrics.precision_and_recall(of_data, draws), metrics.frechet_distance(of_data, draws), np.std(again)


of_data, of_others = features(test_images[:2000]), features(test_images[2000:4000])
resampled = np.random.default_rng(0).integers(0, 2000, (20, 2000))
codes = tf.random.normal((2000, 10))
ae_codes = ae_encoder.predict(binary, verbose=0)
fitted_codes = rng.multivariate_normal(ae_codes.mean(axis=0), np.cov(ae_codes.T), 2000).astype(np.float32)
quality = {f"VAE, beta {beta:g}": judged(features(vae.decoder(codes).mean())) for beta, vae in weighted.items()}
quality["autoencoder, N(0, I)"] = judged(features(tf.sigmoid(ae_decoder(codes))))
quality["autoencoder, fitted normal"] = judged(features(tf.sigmoid(ae_decoder(fitted_codes))))
quality["other test images"] = judged(of_others)
for name, (precision, recall, distance, error) in quality.items():
    print(f"{name:27s}precision {precision:4.0%}  recall {recall:4.0%}  Fréchet distance {distance:8.1f} ± {error:.1f}")
of_size = {size: metrics.frechet_distance(of_data, of_others[:size]) for size in (125, 500, 2000)}
print("other test images, so many:", {size: f"{distance:.1f}" for size, distance in of_size.items()})

figure, axis = plt.subplots(figsize=(8.5, 4.5))
(seen_recall, seen_precision), *others = (
    np.array([quality[name][1::-1] for name in quality if name.startswith(kind)]).T
    for kind in ("VAE", "autoencoder, N", "autoencoder, f", "other")
)
axis.plot(seen_recall, seen_precision, "o-", ms=9)
for (recall, precision), marker in zip(others, plots.MARKERS[1:], strict=False):
    axis.plot(recall, precision, marker, ms=10)
for name, (precision, recall, *_) in quality.items():
    offset = {"autoencoder, N(0, I)": (-92, -40), "autoencoder, fitted normal": (9, -14)}.get(name, (9, 5))
    axis.annotate(name.replace("VAE, beta", "β ="), (recall, precision), offset, textcoords="offset points")
axis.set(xlabel="recall", ylabel="precision", xlim=(-0.03, 1.3), title="A larger β: typical draws, of fewer kinds")
axis.set_xticks(np.linspace(0, 1, 6))
axis.margins(y=0.12)
plt.show()

# %% [markdown]
# The columns disagree. As $\beta$ grows, draws become typical, and all alike: precision rises, recall falls. The
# autoencoder reconstructs best, since its code is a point, whose rate is infinite: it has no bound at all. Draws from $N(0,
# I)$ mean nothing to it. With a normal fitted to its codes it beats the VAE of the best bound in two columns of three. What
# a likelihood measures and what a draw shows are two things (Theis et al. 2016).
#
# Behind the ± is a bootstrap: the distance again from draws picked anew among the draws. The *bias* it does not show: the
# last line has real images on both sides, and 125 of them come out several times as far as 2,000. Compare equal numbers
# only.

# %% tags=["claim"]
recalls = [quality[f"VAE, beta {beta:g}"][1] for beta in betas]
distances, errors = ({name: row[column] for name, row in quality.items()} for column in (2, 3))
assert recalls[0] > recalls[4] and ae_distortion < curve[1.0].distortion.mean
assert distances["autoencoder, N(0, I)"] > (15 if trained_long else 1.2) * distances["autoencoder, fitted normal"]
assert min(distances, key=distances.get) == "other test images"
if trained_long:
    assert quality["VAE, beta 20"][0] > quality["VAE, beta 0.2"][0] + 0.1 and np.all(np.diff(recalls) < 0)
    assert quality["autoencoder, fitted normal"][1] > quality["VAE, beta 1"][1]
    apart = distances["VAE, beta 1"] - distances["autoencoder, fitted normal"]
    assert apart > 3 * np.hypot(errors["VAE, beta 1"], errors["autoencoder, fitted normal"])
assert np.all(np.diff(list(of_size.values())) < 0) and of_size[125] > 3 * of_size[2000]

# %% [markdown]
# ## Put grey pixels on one scale
#
# On grey pixels every likelihood has a loss of its own, and the losses cannot be compared: a Bernoulli gives the
# probability of a binary image, a Gaussian a density, which may exceed 1, and a discretised logistic the probability of
# one of 256 levels. What all of them can be made to say is the probability of the *stored* image, $256^{784}$ of which exist:
#
# - a **density** sees $x = (v + u) / 256$, the level $v$ with uniform noise $u$ in its bin. A bin is $1/256$ wide, so
#   $-\log p(x) + 784 \ln 256$ is on average no less than the cost of the levels (Theis et al. 2016). *Without* the noise a
#   density can be made as large as you please, on every background pixel that is exactly 0;
# - the **Bernoulli** says which half a level is in, and nothing more. All 128 levels of a half are equal:
#   add $784 \ln 128$;
# - the **discretised logistic** is there already.


# %%
def dequantise(images):
    return np.minimum((images + rng.random(images.shape, dtype=np.float32)) / 256, np.float32(1 - 1e-6))


def location_and_scale(numbers):
    location, raw = tf.split(numbers, 2, axis=-1)
    return location, tf.nn.softplus(raw) + 1e-3


def logistic_levels(numbers):
    """P(v) = F((v + 1) / 256) - F(v / 256) with a logistic F, as a distribution of v / 256 or anything in its bin."""
    location, scale = location_and_scale(numbers)
    levels = tfd.QuantizedDistribution(tfd.Logistic(256 * location - 1, 256 * scale), low=0.0, high=255.0)
    return tfd.TransformedDistribution(levels, tfb.Scale(1 / 256.0))


def likelihood_of(pixel, outputs):
    """A function from the dense decoder to p(x|z) with so many numbers for each pixel."""

    def likelihood(decoder):
        last = [layers.Dense(784 * outputs), layers.Reshape((28, 28, outputs))]
        network = keras.Sequential([*decoder.layers[:-2], *last])
        return keras.Sequential([network, tfpl.DistributionLambda(lambda numbers: tfd.Independent(pixel(numbers), 3))])

    return likelihood


pixels = {
    "Gaussian, one variance": models.calibrated_gaussian_of,
    "Gaussian, one for each pixel": likelihood_of(lambda numbers: tfd.Normal(*location_and_scale(numbers)), 2),
    "continuous Bernoulli": likelihood_of(lambda numbers: tfd.ContinuousBernoulli(logits=numbers), 1),
    "discretised logistic": likelihood_of(logistic_levels, 2),
}

# %% [markdown]
# The scale only helps if each of them really is a probability. Integrate the densities, and sum over the levels:

# %% tags=["claim"]
fine, numbers = np.linspace(-2, 3, 50_001, dtype=np.float32)[:, None], tf.constant([[0.3, -2.0]])
inside = fine[(fine[:, 0] >= 0) & (fine[:, 0] <= 1)]
masses = {
    "Gaussian": trapezoid(tfd.Normal(*location_and_scale(numbers)).prob(fine)[:, 0], fine[:, 0]),
    "continuous Bernoulli": trapezoid(tfd.ContinuousBernoulli(logits=2.0).prob(inside)[:, 0], inside[:, 0]),
    "discretised logistic": np.sum(
        logistic_levels(numbers).prob((np.arange(256, dtype=np.float32)[:, None] + 0.5) / 256)
    ),
}
print({name: round(float(mass), 4) for name, mass in masses.items()})
np.testing.assert_allclose(list(masses.values()), 1, rtol=1e-3)

# %%
grey, grey_test = dequantise(train_images), dequantise(fashion.test_images[:4000])
bytes_of = {
    "one of 256 levels, at random": 784.0,
    "LZMA, a file compressor": len(lzma.compress(fashion.test_images[:4000])) / 4000,
}
nats = {name: 8 * np.log(2) * size for name, size in bytes_of.items()}
nats["Bernoulli, halves"] = curve[1.0].negative_elbo.mean + 784 * np.log(128)
for name, likelihood in pixels.items():
    vae = train(images=grey, likelihood=likelihood, transform="float", peak_rate=2e-3)
    density = 0 if name == "discretised logistic" else 784 * np.log(256)
    nats[name] = metrics.rate_distortion(vae, grey_test).negative_elbo.mean + density

# %% alt="Bars of nats per stored image: random levels 4,347; Bernoulli and the Gaussian with one variance close to 4,000; the Gaussian with a variance for each pixel and the continuous Bernoulli lower; the discretised logistic lowest of the models, near the file compressor"
figure, axis = plt.subplots(figsize=(9, 4))
names = sorted(nats, key=nats.get)
yardstick = [name in bytes_of for name in names]
axis.barh(names, [nats[name] for name in names], color=[plots.DARK if known else plots.BLUE for known in yardstick])
for place, name in enumerate(names):
    axis.text(nats[name] + 40, place, f"{nats[name]:,.0f}", va="center")
axis.set(
    xlabel="nats per stored image, 784 levels of 256", xlim=(0, 5000), title="Grey images on one scale: lower is better"
)
plt.show()

# %% tags=["claim"]
models_only = {name: value for name, value in nats.items() if name not in bytes_of}
assert min(models_only, key=models_only.get) == "discretised logistic"
assert all(value < 784 * np.log(256) for value in models_only.values())
if trained_long:
    assert max(models_only.values()) > min(models_only.values()) + 1500
    assert sum(value < 1.05 * nats["LZMA, a file compressor"] for value in models_only.values()) == 1

# %% [markdown]
# The choice of likelihood moves a thousand nats, the choice of networks a dozen. A file compressor that knows nothing of
# garments is a sobering yardstick: any probability of stored images is a compressor, and the other way round. Only the
# discretised logistic keeps up with it.
#
# ## Ask whether a dimension is a factor
#
# Drawn avatars come with the truth: we know every factor. Here are 1,024 of them, all combinations of five factors with
# four values each. The *mutual information gap* asks of each factor by how much the dimension that tells most of it is ahead
# of the second (Chen et al. 2018): 1 if one dimension has it alone, 0 if two share it.

# %% alt="Twenty avatars, 28 by 28 pixels in grey, that differ in hair, tone of face and hair, glasses and beard"
varied = {"hair": (1, 4, 8, 12), "face_color": (0, 2, 4, 6), "hair_color": (0, 3, 5, 8), "glasses": (0, 2, 4, 6)}
varied |= {"facial_hair": (0, 2, 4, 7)}
others = {name: len(categories) // 2 for name, categories in drawn.AVATAR_FACTORS.items()}
factors = np.array(list(product(*varied.values())))
pictures = (drawn.avatar(others | dict(zip(varied, values, strict=True))) for values in factors.tolist())
small = [picture[16:240, 16:240].reshape(28, 8, 28, 8, 3).mean(axis=(1, 3, 4)) for picture in pictures]
portraits = np.float32(small)[..., None] / 255
plots.show_images(
    portraits[rng.permutation(1024)[:20]], title="Five factors, and nothing else, change in these avatars"
)

# %%
mig = {"the factors themselves": metrics.mutual_information_gap(factors, factors)}
mig["random numbers"] = metrics.mutual_information_gap(rng.standard_normal((1024, 8)), factors)
options = {"images": portraits, "likelihood": lambda decoder: models.gaussian_of(decoder, 0.01), "transform": "float"}
for beta, seed in product((1.0, 4.0), (1, 2, 3)):
    vae = train(8, beta, seed=seed, epochs=budget.avatar_epochs, **options)
    mig[f"beta {beta:g}, seed {seed}"] = metrics.mutual_information_gap(vae.encoder(portraits).mean(), factors)
mig["the last, shuffled"] = metrics.mutual_information_gap(vae.encoder(portraits).mean(), rng.permutation(factors))
print(f"{'':24s}" + "".join(f"{name:>13s}" for name in [*varied, "mean"]))
for name, gap in mig.items():
    print(f"{name:24s}" + "".join(f"{value:13.2f}" for value in [*gap, gap.mean()]))

# %% tags=["claim"]
score = {name: gap.mean() for name, gap in mig.items()}
assert score["the factors themselves"] == 1 and max(score["random numbers"], score["the last, shuffled"]) < 0.05
assert score["beta 4, seed 3"] > score["the last, shuffled"]
of_beta = {beta: np.array([score[f"beta {beta}, seed {seed}"] for seed in (1, 2, 3)]) for beta in (1, 4)}
assert max(map(np.max, of_beta.values())) < (0.25 if budget.name != "full" else 0.5)
if budget.name == "laptop":
    assert of_beta[1].min() < of_beta[4].max() and of_beta[4].min() < of_beta[1].max()


def gradients(variance, beta):
    """Of the loss of the last model, under another variance and another weight, with the same noise."""
    decoder = models.gaussian_of(vae.decoder.layers[0], variance)
    other = models.VAE(vae.encoder, decoder, vae.prior, beta=beta)
    with tf.GradientTape() as tape:
        loss = other.negative_elbo(portraits[:100], seed=(1, 2))[0]
    return tape.gradient(loss, other.trainable_variables)


for one, another in zip(gradients(0.01, 4.0), gradients(0.04, 1.0), strict=True):
    np.testing.assert_allclose(one, 4 * another, rtol=1e-3, atol=1e-4 * np.abs(one).max())

# %% [markdown]
# The last row is the control: the same codes, but each beside the factors of another avatar, so that nothing is left to find.
# No model comes near 1, and no weight decides it: the same $\beta$ with another seed changes the score as much as another
# $\beta$ does. Nothing in the ELBO asks for *these* axes, and without labels nothing can (Locatello et al. 2019). From one
# seed you could have published either conclusion.
#
# The last check is of another kind. With a Gaussian, $\beta$ is a variance in disguise: but for a constant, the loss at
# variance 0.01 and $\beta = 4$ is four times that at 0.04 and $\beta = 1$. A rate-distortion curve over $\beta$ is one
# over the variance.
#
# ## Lie with numbers
#
# Here is one model, $\beta = 1$ with ten codes, in six reports. Each is in use.

# %%
honest, best = curve[1.0], weighted[1.0]
seen = metrics.rate_distortion(best, binary[:4000]).negative_elbo.mean
posterior = best.encoder(test_images)
at_mean = -np.mean(best.decoder(posterior.mean()).log_prob(test_images)) + honest.rate.mean
levels = data.to_float(fashion.test_images[:4000])
on_grey = -np.mean(best.decoder(best.encoder(levels).sample()).log_prob(levels)) + honest.rate.mean
inside = np.clip(np.float64(levels), 1e-12, 1 - 1e-12)
floor = -np.sum(inside * np.log(inside) + (1 - inside) * np.log1p(-inside)) / len(inside)
per_pixel = {beta: point.distortion.mean / 784 + point.rate.mean / 10 for beta, point in curve.items()}
print(f"test images, sampled z:         {honest.negative_elbo.mean:7.2f} nats per image")
print(f"training images:                {seen:7.2f}")
print(f"decoding the mean of q:         {at_mean:7.2f}")
print(f"cross-entropy on grey images:   {on_grey:7.2f}, of which {floor:.2f} are the floor")
print("means over pixels and codes:   ", {f"beta {beta:g}": round(value, 3) for beta, value in per_pixel.items()})

# %% tags=["claim"]
assert seen < honest.negative_elbo.mean - 0.5 and at_mean < honest.negative_elbo.mean - 0.5
assert floor > 50 and on_grey > floor + 50
assert not trained_long or on_grey > 3 * honest.negative_elbo.mean
assert min(per_pixel, key=per_pixel.get) == 20.0 and min(betas, key=lambda beta: curve[beta].negative_elbo.mean) != 20.0

# %% [markdown]
# *Training images*: the networks have seen them. *The mean of $q$*: one code without noise, which the KL did not pay for, so
# that the sum bounds nothing. *Grey images*: lesson 04's floor is in it, and a decoder that is sure of its binary pixels
# pays dearly for grey ones; a likelihood it is not. *Means*: a mean over pixels and codes divides the two terms by
# different numbers, and declares $\beta = 20$ the best model.
#
# The fifth is a figure. Both rows are draws of the same model:

# %% alt="Two rows of draws from one model: the first twelve, some of them faint or between classes, and the twelve of 2,000 that the classifier is surest of, all clear, and all trousers"
draws = best.decoder(codes).mean().numpy()
votes = tf.nn.softmax(classifier(np.float32(draws > 0.5))).numpy()
chosen = np.argsort(-votes.max(axis=1))
plots.compare_rows(
    {"the first twelve": draws[:12], "twelve of 2,000": draws[chosen[:12]]}, title="The same model twice"
)
plt.show()

# %% tags=["claim"]
classes = {
    name: len(set(votes[rows].argmax(axis=1))) for name, rows in {"first": range(12), "chosen": chosen[:12]}.items()
}
print("classes in the row:", classes)
assert votes[chosen[:12]].max(axis=1).min() > votes[:12].max(axis=1).mean()
assert not trained_long or classes["chosen"] < classes["first"]

# %% [markdown]
# The chosen row looks better, and hides that it is all of one kind. The sixth, *one seed*, you have met among the avatars.
# So write down what was measured: which images, how they were made binary, $z$ sampled, sums over pixels, $k$, how many
# seeds. Then somebody can find out that you are right.
#
# ## In this notebook we saw
#
# - The ELBO understates a model, here mostly because one network answers for all images. With $k$ the importance-weighted
#   bound rises to $\log p(x)$.
# - Rate and distortion are two numbers, and $\beta$ chooses between them. Only $\beta = 1$ aims at the bound.
# - A posterior collapses where the decoder can do without it. The rate says so, and so does the code of another image.
# - Beyond $\ln n$ nats, rate is distance between the codes and the prior: holes.
# - Likelihoods of grey pixels are comparable as probabilities of stored images, and only so.
#
# **An open problem.** Keep encoder and decoder as they are, and exchange the prior. By how many nats can the ELBO of the
# model with $\beta = 0.2$ improve at most? Find a prior that gets a third of them, on test images.
#
# <details><summary>A hint</summary>
#
# Which of the two parts of the rate depends on the prior? And which distribution makes that part zero? Fit something to the
# codes of training images that has a density and can be drawn from.
#
# </details>
#
# ## Test yourself
#
# Run the cell and click on an answer: it tells you whether it is right, and why.

# %% tags=["self-test"]
selftest.ask("07")

# %% [markdown]
# ## Sources and further reading
#
# - Y. Burda, R. Grosse, R. Salakhutdinov, [Importance Weighted Autoencoders](https://arxiv.org/abs/1509.00519), 2015: the
#   bound, and active units.
# - C. Cremer, X. Li, D. Duvenaud, [Inference Suboptimality in Variational Autoencoders](https://arxiv.org/abs/1801.03558),
#   2018: amortisation against family.
# - A. Alemi and others, [Fixing a Broken ELBO](https://arxiv.org/abs/1711.00464), 2018: rate and distortion.
# - M. Hoffman, M. Johnson, [ELBO
#   surgery](http://approximateinference.org/accepted/HoffmanJohnson2016.pdf), 2016: the rate taken apart.
# - S. Bowman and others, [Generating Sentences from a Continuous Space](https://arxiv.org/abs/1511.06349), 2016: collapse,
#   and warm-up. D. P. Kingma and others, [Improving Variational Inference with Inverse Autoregressive
#   Flow](https://arxiv.org/abs/1606.04934), 2016: free bits.
# - T. Kynkäänniemi and others, [Improved Precision and Recall Metric](https://arxiv.org/abs/1904.06991), 2019.
# - L. Theis, A. van den Oord, M. Bethge, [A note on the evaluation of generative
#   models](https://arxiv.org/abs/1511.01844), 2016; T. Salimans and others, [PixelCNN++](https://arxiv.org/abs/1701.05517),
#   2017: the discretised logistic.
# - R. Chen and others, [Isolating Sources of Disentanglement](https://arxiv.org/abs/1802.04942), 2018; F. Locatello and
#   others, [Challenging Common Assumptions](https://arxiv.org/abs/1811.12359), 2019.

# %% [markdown] tags=["solution"]
# ---
# ## Solutions
#
# Collapsed. Click on the dots of a cell to see its code; what it prints is the verdict of the check.


# %% tags=["solution"] jupyter={"source_hidden": true}
def importance_weighted(log_weights):
    """The largest weight comes out of the sum before the exponential: that is what reduce_logsumexp does."""
    return tf.reduce_logsumexp(log_weights, axis=0) - tf.math.log(float(len(log_weights)))


checks.importance_weighted(importance_weighted)


# %% tags=["solution"] jupyter={"source_hidden": true}
def free_bits(kl, floor):
    """The mean over the batch first: a dimension may say much of few images."""
    return tf.reduce_sum(tf.maximum(tf.reduce_mean(kl, axis=0), floor))


checks.free_bits(free_bits)


# %% [markdown] tags=["solution"]
# **The open problem.** $I(n; z)$ does not depend on the prior. $\mathrm{KL}(q(z) \,\|\, p(z))$ does, and is zero for $p = q(z)$: so
# its value is the most that there is to gain. $q(z)$ itself, the mixture over all training images, is slow, and knows
# these images by heart. A mixture of twenty Gaussians, fitted to one code of each training image, is quick.

# %% tags=["solution"] jupyter={"source_hidden": true}
loose = weighted[0.2]
mixture = GaussianMixture(20, random_state=0).fit(loose.encoder(binary[:10_000]).sample())
components = tfd.MultivariateNormalTriL(
    np.float32(mixture.means_), np.linalg.cholesky(mixture.covariances_).astype(np.float32)
)
loose.prior = tfd.MixtureSameFamily(tfd.Categorical(probs=np.float32(mixture.weights_)), components)
gained = curve[0.2].negative_elbo.mean - metrics.rate_distortion(loose, test_images).negative_elbo.mean
loose.prior = models.standard_normal(10)
print(f"{gained:.2f} of at most {parts[0.2].aggregate_kl.mean:.2f} nats, from another prior alone")
assert (0.33 if trained_long else 0.1) * parts[0.2].aggregate_kl.mean < gained < parts[0.2].aggregate_kl.mean
