"""Lesson 04, VAEs from TFP's parts: exercises 1 to 3, ``binarise``, ``negative_elbo``, ``kl_factor``."""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

from course_utils.checks.bound import examine_bound, kl_of_normals
from course_utils.checks.calling import NOTHING, NotYet, check_shape, refuse
from course_utils.checks.judging import exercise
from course_utils.checks.noise import chance_bound, check_fresh, check_independent
from course_utils.checks.reading import read
from course_utils.checks.values import evaluate

tfd = tfp.distributions


@exercise("images, rng", "The mean of many draws is the grey image.", tensors=False)
def binarise(call, rng):
    """Lesson 04, exercise 1. ``function(images, rng)`` returns images of 0 and 1, drawn with the grey value as
    probability of a 1.

    It gets a NumPy array of uint8 ``(n, height, width, 1)`` and a NumPy Generator. It returns the same shape, as
    floats. Salakhutdinov and Murray 2008, "On the Quantitative Analysis of Deep Belief Networks".
    """
    # Grey images with black and white, then dark ones that no image's maximum scales, then all of one grey.
    grey = rng.integers(0, 256, (100, 20, 26, 1), dtype=np.uint8)
    grey[rng.random(grey.shape) < 0.3] = 0
    grey[rng.random(grey.shape) < 0.3] = 255
    dark = rng.integers(0, 120, grey.shape, dtype=np.uint8)
    dark[::2] //= 2
    flat = np.full_like(grey, 100)
    flat[:, 0] = 255  # so that this maximum scales nothing
    outputs = []
    for images in (grey, dark, flat):
        outputs.append(call(images, np.random.default_rng(rng.integers(2**32))))
        check_shape(outputs[-1].shape, IMAGE_AXES, dict(zip(IMAGE_AXES, images.shape, strict=True)))
        call.finite(outputs[-1])
    _check_values(outputs[0], grey)
    _check_independent(outputs[0] != 0, grey, outputs[2][:, 1:] != 0)
    for output, images in zip(outputs, (grey, dark, flat), strict=True):
        _check_shares(output != 0, images)
    if outputs[0].max() > 1:
        raise NotYet("the draws are 0 and 255. A Bernoulli likelihood is about 0 and 1.")
    kind = {"b": "booleans", "i": "integers", "u": "integers"}.get(outputs[0].dtype.kind)
    if kind:
        raise NotYet(f"the draws are right, but they are {kind}: a network wants float32. `astype` helps.")
    check_fresh(call, (grey, np.random.default_rng(rng.integers(2**32))))


IMAGE_AXES = ("images", "rows", "columns", "channels")


def _check_values(output: np.ndarray, images: np.ndarray) -> None:
    values = np.unique(output)
    refuse(
        {
            NOTHING: not output.any(),
            "these are the grey values themselves. A Bernoulli likelihood is about 0 and 1: draw them.": (
                np.allclose(output, images / 255, atol=0.01) or np.array_equal(output, images)
            ),
            f"the values run from {values[0]:.3g} to {values[-1]:.3g}, {len(values)} different ones, and only 0 and 1 "
            "belong there.": len(values) > 2 or values[0] != 0 or values[-1] not in (1, 255),
        }
    )


INVERTED = "the draws are inverted: a light pixel becomes 0. "


def _check_independent(ones: np.ndarray, grey: np.ndarray, flat: np.ndarray) -> None:
    """Of what is 1 of ``grey`` images, and of images of one grey throughout."""
    inverted = bool(ones[grey > 191].mean() < ones[grey < 64].mean())
    threshold = flat.all() or not flat.any()
    refuse(
        {
            "the images are not scaled: a uint8 pixel of 1 is already larger than every number in [0, 1), so "
            "everything lit becomes one.": np.array_equal(ones, grey > 0),
            f"{INVERTED}And the images are not scaled: every pixel but 0 becomes 0.": np.array_equal(~ones, grey > 0),
            "two slips: a light pixel becomes 0, so the comparison points the wrong way, and a fixed threshold is no "
            "draw. Compare each pixel with a uniform number of its own.": threshold and inverted,
            "this is a threshold, not a draw: the same grey always gives the same value. A pixel of 100 must be one in "
            "39% of the draws.": threshold,
        }
    )
    check_independent(flat + 1e-4 * np.random.default_rng().random(flat.shape), IMAGE_AXES, INVERTED * inverted)


PROBABILITIES = {
    "grey / 255": "",
    "1 - grey / 255": f"{INVERTED}Which way must the comparison with the uniform number point?",
    "grey / max(grey, axis=(1, 2, 3), keepdims=True)": "each image is divided by its own maximum, not by 255.",
    "grey / max(grey)": "the images are divided by their maximum, and 255 is that of any image.",
    "0.5 + 0 * grey": "a pixel is one with a probability of a half, whatever its grey.",
    "(grey / 255) ** 2": "the grey is squared before the draw.",
    "sqrt(grey / 255)": "a root of the grey is taken before the draw.",
    "sigmoid(grey / 255)": "the grey value goes through a sigmoid: it is a probability already.",
    "grey / 510": "the uniform numbers do not run from 0 to 1 but to 2: light pixels become one too seldom.",
    "minimum(grey / 128, 1)": "the images are divided by 128, not by 255: everything light becomes one.",
}


def _check_shares(ones: np.ndarray, images: np.ndarray) -> None:
    """Raise NotYet unless in each band of 16 greys as many are 1 as should be, and of black and white none and all."""
    bands = [(images // 16 == band) & (images > 0) & (images < 255) for band in range(16)]
    bands = {16 * number + 8: inside for number, inside in enumerate(bands) if inside.any()}
    for probability, words in PROBABILITIES.items():
        gaps = ones - evaluate(probability, grey=np.float64(images))
        if all(abs(np.mean(gaps[inside])) < chance_bound(inside.sum()) for inside in bands.values()):
            if words:
                raise NotYet(words)
            break
    else:
        shares = [(ones[inside].mean(), images[inside].mean()) for inside in list(bands.values())[::4]]
        shares = [f"{share:.3f} near a grey of {grey:.0f}, where {grey / 255:.3f} is right" for share, grey in shares]
        raise NotYet(f"the share of ones is {'; '.join(shares)}.")
    lit, unlit = np.mean(ones[images == 0] != 0), np.mean(ones[images == 255] == 0)
    refuse(
        {
            f"{lit:.2%} of the black pixels become 1, and none may: a pixel of 0 is lit with probability 0."
            + " The comparison is off by one level of grey, or <= stands for <." * bool(lit < 0.008): lit > 0,
            f"{unlit:.2%} of the white pixels become 0, and none may: 255 / 255 is 1."
            + " Are the images divided by 256?" * bool(unlit < 0.008): unlit > 0,
        }
    )


@exercise(
    "vae, images",
    "A mean over the batch, in nats per image, at a drawn z.",
    error_hint=("_prob'", "Use `log_prob`: the probability of a whole image is too small for float32."),
)
def negative_elbo(call, rng):
    """Lesson 04, exercise 2. ``function(vae, images)`` returns the negative ELBO of a batch at a drawn z.

    It gets a VAE with ``vae.encoder`` (images to a distribution over z), ``vae.decoder`` (z to a distribution over
    images) and ``vae.prior``, which is a normal but not N(0, I), and a tensor of binary images
    ``(batch, height, width, 1)``. It returns one number: nats per image, a mean over the batch. The KL may be analytic
    or estimated, and the log-likelihood a mean over several draws.
    """
    examine_bound(call, rng)


@exercise(
    "model, images, posterior_of, prior",
    "These models count the KL twice, as often as there are images, once, and by a weight of their own.",
)
def kl_factor(call, rng):
    """Lesson 04, exercise 3. ``function(model, images, posterior_of, prior)`` returns how often a model counts its KL.

    It gets a Keras model whose only losses come from a KL layer, a tensor ``(batch, features)``, a function from images
    to the posterior, and the prior. It returns one number: the sum of ``model.losses`` over the mean KL of the images.
    """
    seen, outputs = [], []
    for standard, counts in MODELS:
        model, dense, prior = _counting_vae(standard, counts)
        dense.set_weights([rng.normal(0, 0.5, weight.shape) for weight in dense.get_weights()])
        images = rng.normal(size=(BATCH, FEATURES)).astype(np.float32)

        def posterior_of(images, dense=dense):
            return tfd.MultivariateNormalDiag(*_mean_and_sd(dense(images)))

        model(3 * images[::2])  # its losses are there, and stale
        stale = sum(map(float, model.losses))
        output = call(model, images, posterior_of, prior)
        check_shape(output.shape, (), {"batch": BATCH, "features": FEATURES, "latent_dim": LATENT_DIM})
        call.finite(output)
        outputs.append(float(output))
        q, p = _mean_and_sd(dense(images)), (prior.mean(), prior.stddev())
        kls = [np.mean(kl_of_normals(*pair)) for pair in ((*q, *p), (*p, *q), (*q, 0, 1))]
        counts = [count or BATCH for count in counts]
        seen.append((sum(counts) * kls[0], stale, *kls, len(counts), counts[0], counts[-1]))
    _name_factor(np.array(outputs), np.array(seen))


FEATURES, LATENT_DIM, BATCH = 7, 2, 50
# Whether the prior is N(0, I), and how often each loss counts the KL: as TFP's layers do, and with weights, which make
# the factor no whole number.
MODELS = [(True, (1, 1)), (True, (None,)), (False, (1,)), (False, (0.37, 0.22))]  # None: the size of the batch


class _CountedKL(keras.layers.Layer):
    """Draws z, and adds the KL from the prior to the losses, once for each of ``counts``."""

    def __init__(self, prior, counts):
        super().__init__()
        self.loc, self.scale, self.counts = prior.mean(), prior.stddev(), counts

    def call(self, numbers):  # in plain TensorFlow, which is ten times faster than through distributions
        mean, sd = _mean_and_sd(numbers)
        square = (sd**2 + (mean - self.loc) ** 2) / self.scale**2
        kl = tf.reduce_sum(tf.math.log(self.scale / sd) + (square - 1) / 2, axis=-1)
        for count in self.counts:
            count = tf.cast(tf.shape(numbers)[0], tf.float32) if count is None else count
            self.add_loss(count * tf.reduce_mean(kl))
        return mean + sd * tf.random.normal(tf.shape(mean))


def _mean_and_sd(numbers):
    mean, raw = tf.split(numbers, 2, axis=-1)
    return mean, tf.nn.softplus(raw) + 1e-3


@functools.cache
def _counting_vae(standard, counts):
    """A small VAE with the KL in a layer, its dense layer and its prior; built once, new weights each time."""
    prior = tfd.MultivariateNormalDiag(tf.zeros(2)) if standard else tfd.MultivariateNormalDiag([1.0, -0.5], [0.6, 1.8])
    dense = keras.layers.Dense(2 * LATENT_DIM)
    layers = [keras.Input((FEATURES,)), dense, _CountedKL(prior, counts), keras.layers.Dense(FEATURES)]
    return keras.Sequential(layers), dense, prior


ONE_LOSS = "you count one loss (or the mean of the losses). A layer may add several: `model.losses` must be summed."
FACTORS = {  # of the models' losses and mean KLs
    "losses / kl": "",
    "stale / kl": "the losses are stale: they belong to the last call of the model, on other images. Call the model on "
    "these images first.",
    "losses / kl / batch": "you divide by the sum of the KL, not by its mean over the images: the factor is too small "
    "by the batch size.",
    "kl / losses": "the ratio is inverted. The factor is what the model counts, divided by what it should count.",
    "1 + 0 * kl": "your factor is always 1, and these models do not all count it once. Measure it, do not round it.",
    "losses / kl / number": ONE_LOSS,
    "first": ONE_LOSS,
    "last": ONE_LOSS,
    "losses": "these are the losses, not divided by the mean KL.",
    "kl": "this is the mean KL; the factor is the sum of the losses divided by it.",
    "losses / standard": "the KL is that from N(0, I), and this prior is another one: use `prior`.",
    "losses / reversed_kl": "the KL below the line is reversed: the posterior comes first.",
    "losses - kl": "the mean KL is subtracted, and the losses are to be divided by it.",
    "round(losses / kl)": "the factor is rounded. It need not be a whole number: a layer may have a weight.",
    "losses / kl - 1": "1 is subtracted from the factor: a model whose loss is the negative ELBO gets a 1.",
}


def _name_factor(outputs: np.ndarray, seen: np.ndarray) -> None:
    """Raise NotYet unless the outputs are losses / kl; a row of ``seen`` a model."""
    refuse({NOTHING: not outputs.any()})
    columns = ("losses", "stale", "kl", "reversed_kl", "standard", "number", "first", "last")
    names = dict(zip(columns, seen.T, strict=True))
    candidates = [(0.5 * bool(w), w, [evaluate(f, batch=BATCH, **names)]) for f, w in FACTORS.items()]
    sizes = {"batch": BATCH, "latent dimensions": LATENT_DIM, "features": FEATURES}
    averaged = "The KL below the line is averaged over the latent dimensions: it is a sum over them."
    words = read(outputs, ["factor"], candidates, {"latent dimensions": averaged}, sizes)
    if words:
        raise NotYet(words)
    right = names["losses"] / names["kl"]
    worst = int(np.argmax(np.abs(np.log(np.abs(outputs / right) + 1e-9))))
    if abs(outputs[worst] / right[worst] - 1) > 2e-4:
        raise NotYet(
            f"for one of the models it returns {outputs[worst]:.5g} where {right[worst]:.5g} is right. What are the "
            "losses of that model on these images, and what is its mean KL?"
        )
