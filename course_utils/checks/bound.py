"""A negative ELBO, compared with the draws that it was made from (lesson 04, exercise 2).

The VAE that the learner's function gets remembers which codes were decoded and which images were scored, so that the
bound of those very draws is known, and its two terms can be told from each other.
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np
import tensorflow_probability as tfp
import tf_keras as keras
from scipy.special import expit

from course_utils import models
from course_utils.checks.calling import Call, NotYet, check_shape
from course_utils.checks.noise import law_of, looks_standard_normal, sharing
from course_utils.checks.recording import recorded
from course_utils.checks.values import fitted, read

tfd = tfp.distributions
BATCH, LATENT_DIM, SHAPE = 41, 5, (8, 6, 1)
PIXELS = 48
SIZES = {"batch": BATCH, "pixels": PIXELS, "latent dimensions": LATENT_DIM}


class Memory(NamedTuple):
    """What one call of the learner's function asked of the VAE, in order."""

    encoded: list  # images
    decoded: list  # codes
    scored: list  # (images, codes) of which a log-likelihood was taken
    log_q: list  # log densities of codes under the posterior, and under the prior
    log_p: list


@functools.cache
def _vae():
    """Built once; ``_draw`` sets every weight anew."""
    layers = keras.layers
    encoder = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(2 * LATENT_DIM)])
    decoder = keras.Sequential([keras.Input((LATENT_DIM,)), layers.Dense(16, "tanh"), layers.Dense(PIXELS)])
    decoder.add(layers.Reshape(SHAPE))
    prior = tfd.MultivariateNormalDiag([0.7, -0.4, 0.2, -0.8, 0.5], [1.6, 0.7, 1.2, 0.8, 1.4])
    vae = models.VAE(models.posterior_of(encoder), models.bernoulli_of(decoder), prior)
    memory = Memory([], [], [], [], [])

    def remember_posterior(images, posterior):
        memory.encoded.append(np.asarray(images))
        return recorded(posterior, lambda z, log_prob: memory.log_q.append(log_prob))

    def remember_likelihood(z, likelihood):
        z = np.asarray(z)
        memory.decoded.append(z)
        return recorded(likelihood, lambda images, _: memory.scored.append((images, z)))

    _watch(vae.encoder, remember_posterior)
    _watch(vae.decoder, remember_likelihood)
    recorded(prior, lambda z, log_prob: memory.log_p.append(log_prob))
    return vae, encoder, decoder, memory


def _watch(model, see) -> None:
    """Have the model hand every input and output to ``see``, which returns the output."""
    base = type(model)

    def call(self, inputs, *args, **kwargs):
        return see(inputs, base.__call__(self, inputs, *args, **kwargs))

    model.__class__ = type(base)(base.__name__, (base,), {"__call__": call})


def _draw(rng):
    """Weights, and images from the decoder, in which the two terms and their usual errors all cost some nats.

    The decoder bends within a posterior, the posteriors lie away from the prior's mean, and no two are alike.
    """
    vae, encoder, decoder, _ = _vae()
    edges, weights = rng.normal(0, 1, (LATENT_DIM, 16)), rng.normal(0, 0.6, (16, PIXELS))
    decoder.set_weights([edges, rng.normal(0, 1, 16), weights, rng.normal(0, 1, PIXELS)])
    kernel = np.hstack([rng.normal(0, 0.7, (PIXELS, LATENT_DIM)), rng.normal(0, 0.12, (PIXELS, LATENT_DIM))])
    encoder.set_weights([kernel, np.concatenate([rng.normal(0, 1, LATENT_DIM), rng.uniform(-1.5, -1, LATENT_DIM)])])
    return vae, (rng.random((BATCH, *SHAPE)) < rng.random(SHAPE)).astype(np.float32)


class Bound(NamedTuple):
    """What right and mistaken bounds of one call are made of, each a mean over the images, in nats."""

    output: float
    noise: np.ndarray  # (draws, batch, latent_dim), standardised
    by_variance: np.ndarray  # the same, with the variance in place of the standard deviation
    log_likelihoods: list[tuple[str, float]]  # the right one first, with no words; then what is taken for it
    kls: list[tuple[str, float]]  # exact, and estimated at its draws, with no words; then what is taken for it
    several: float  # the importance-weighted bound of several draws for each image, or NaN


REVERSED = "the KL is reversed: KL(p||q), with the prior first. The bound holds with the posterior first."
STANDARD = "the prior is taken for N(0, I), and this one is not: the KL is that from `vae.prior`."
TWICE = (
    "the sigmoid is applied twice: the decoder's distribution has its own, and probabilities are no logits. Ask the "
    "distribution for `log_prob`."
)
INVERTED = "the images are inverted (1 - x) in the likelihood: the ones are scored with the probability of a zero."
OTHERS = (
    "codes and images belong to different rows: an image is scored at the code of another. Has one of the two been "
    "shuffled or reversed?"
)
MEAN = (
    "you decoded the mean of the posterior instead of a draw. The value is better than the bound, and it is not an "
    "ELBO: `sample`."
)
ONLY_Q = "log p(z) is missing from the KL: this is log q(z|x) alone."
ONLY_P = "log q(z|x) is missing from the KL: this is minus log p(z) alone."


def examine_bound(call: Call) -> None:
    """Raise NotYet unless every output is the negative ELBO at its own draws, which are draws from the posterior."""
    rng, bounds = np.random.default_rng(), []
    for _ in range(4):
        inputs = _draw(rng)
        posterior = inputs[0].encoder(inputs[1])
        bounds.append(_ask(call, *inputs, np.float64(posterior.mean()), np.float64(posterior.stddev())))
    if not any(bound.output for bound in bounds):
        raise NotYet("not started yet? The function returns zeros only.")
    _check_terms(bounds)
    _check_codes(bounds)


def _ask(call: Call, vae, images, mean, sd) -> Bound:
    memory = _vae()[3]
    for part in memory:
        part.clear()
    output = call(vae, images)
    check_shape(output.shape, (), {"batch": BATCH, "latent_dim": LATENT_DIM})
    call.finite(output)
    flat = images.reshape(BATCH, -1)
    for given, whose in [(memory.encoded, "encoder"), ([x for x, _ in memory.scored], "likelihood")]:
        rows = [_rows_of(x.reshape(-1, PIXELS), flat) for x in given if x.size % PIXELS == 0]
        if rows and not all(np.all(row >= 0) for row in rows):
            inverted = all(np.all(_rows_of(1 - x.reshape(-1, PIXELS), flat) >= 0) for x in given)
            raise NotYet(
                (INVERTED if whose == "likelihood" else "the encoder is handed the images inverted (1 - x).")
                if inverted
                else f"the {whose} is handed other images than those of the batch."
            )
    z, image = _pairs(memory, flat)
    return _bound(float(output), memory, z, image, flat, mean, sd)


def _rows_of(some: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Which image of the batch each row is, or -1."""
    same = np.abs(some[:, None] - flat).max(axis=-1) < 1e-6
    return np.where(same.any(axis=1), same.argmax(axis=1), -1)


def _pairs(memory: Memory, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The codes that were decoded, and the image that each was scored with: as scored, or else in the batch's order."""
    if memory.scored:
        z = [np.reshape(z, (-1, LATENT_DIM)) for _, z in memory.scored]
        of = [_rows_of(x.reshape(-1, PIXELS), flat) for x, _ in memory.scored]
        of = [np.tile(rows, -(-len(codes) // len(rows)))[: len(codes)] for rows, codes in zip(of, z, strict=True)]
        z = [
            np.tile(codes, (len(rows) // len(codes), 1)) if len(codes) < len(rows) else codes
            for rows, codes in zip(of, z, strict=True)
        ]
        return np.float64(np.concatenate(z)), np.concatenate(of)
    z = np.concatenate([np.reshape(z, (-1, LATENT_DIM)) for z in memory.decoded] or [np.zeros((0, LATENT_DIM))])
    return np.float64(z), np.arange(len(z)) % BATCH


def _bound(output, memory, z, image, flat, mean, sd) -> Bound:
    prior = _vae()[0].prior
    loc, scale = np.float64(prior.mean()), np.float64(prior.stddev())
    edges, shift, weights, bias = map(np.float64, _vae()[2].get_weights())
    logits = np.tanh(z @ edges + shift) @ weights + bias

    def log_normal(z, mean, sd):
        return -np.sum(0.5 * ((z - mean) / sd) ** 2 + np.log(sd) + 0.5 * np.log(2 * np.pi), axis=-1)

    def kl(mean_q, sd_q, mean_p, sd_p):
        terms = np.log(sd_p / sd_q) + (sd_q**2 + (mean_q - mean_p) ** 2) / (2 * sd_p**2) - 0.5
        return np.mean(np.sum(terms, axis=-1))

    def log_likelihood(x, logits):
        return np.sum(x * logits - np.logaddexp(0, logits), axis=-1)

    kls = [("", kl(mean, sd, loc, scale))]
    log_likelihoods, several, noise, spread = [], np.nan, np.zeros((0, BATCH, LATENT_DIM)), sd
    if len(z):
        x, at = flat[image], log_likelihood(flat[image], logits)
        log_likelihoods = [
            ("", np.mean(at)),
            (TWICE, np.mean(log_likelihood(x, expit(logits)))),
            (INVERTED, np.mean(log_likelihood(1 - x, logits))),
            (OTHERS, np.mean(log_likelihood(x[::-1], logits))),
        ]
        ratio = log_normal(z, mean[image], sd[image]) - log_normal(z, loc, scale)
        kls.append(("", np.mean(ratio)))
        order = np.argsort(image, kind="stable")
        if len(z) % BATCH == 0 and np.all(np.bincount(image, minlength=BATCH) == len(z) // BATCH):
            noise = ((z - mean[image]) / sd[image])[order].reshape(BATCH, -1, LATENT_DIM).swapaxes(0, 1)
            weights = (at - ratio)[order].reshape(BATCH, -1)
            several = -np.mean(np.logaddexp.reduce(weights, axis=1) - np.log(weights.shape[1]))
        else:
            noise, spread = ((z - mean[image]) / sd[image])[:, None], sd[image][:, None]
    if memory.log_q and memory.log_p:
        log_q, log_p = (np.concatenate([np.ravel(v) for v in part]) for part in (memory.log_q, memory.log_p))
        kls.append(("", np.mean(log_q) - np.mean(log_p)))
    elif memory.log_q:
        kls.append((ONLY_Q, np.mean(np.concatenate([np.ravel(v) for v in memory.log_q]))))
    elif memory.log_p:
        kls.append((ONLY_P, -np.mean(np.concatenate([np.ravel(v) for v in memory.log_p]))))
    if len(z):
        kls.append((STANDARD, np.mean(log_normal(z, mean[image], sd[image]) - log_normal(z, 0.0, 1.0))))
    kls += [
        (REVERSED, kl(loc, scale, mean, sd)),
        (STANDARD, kl(mean, sd, 0.0, 1.0)),
        ("the variance is taken for the standard deviation in the KL.", kl(mean, sd**2, loc, scale)),
        ("the standard deviation is taken for the variance in the KL.", kl(mean, sd**0.5, loc, scale)),
    ]
    return Bound(output, noise, noise / spread, log_likelihoods, kls, several)


WORDS = {
    "-1": "This is the ELBO, not its negative: an optimizer would minimise it. The sign of the whole is wrong.",
    "batch": "This is summed over the batch: it grows with the batch size. Average over the batch.",
    "1/pixels": "This is the bound per pixel: all is divided by the number of pixels. Nats per image are asked for.",
    "log-likelihood: 1/pixels": "The log-likelihood is averaged over pixels. It is a sum: with the mean, the KL "
    "outweighs it and the codes fall back to the prior.",
    "log-likelihood: 0": "The likelihood hardly enters, this is the KL alone: is the log-likelihood left out, or is "
    "that `prob` in place of `log_prob`? The probability of a whole image is nearly 0, its logarithm is not.",
    "log-likelihood: batch": "The log-likelihood alone is summed over the batch. Average both terms.",
    "KL: 0": "The KL is forgotten: what is left is the loss of a noisy autoencoder, and its codes drift as they like.",
    "KL: batch": "The KL alone is summed over the batch, so its weight is the batch size. Average both terms.",
    "KL: 1/latent dimensions": "The KL is averaged over the latent dimensions. Nats of independent dimensions add up.",
    "KL: 1/pixels": "The KL is divided by the number of pixels, and belongs whole beside a sum over pixels.",
}


def _check_terms(bounds: list[Bound]) -> None:
    """Raise NotYet unless the output is KL - log-likelihood, for one of the ways to a KL."""
    y = np.array([bound.output for bound in bounds])

    def columns(part: str) -> list[tuple[str, np.ndarray]]:
        words = [words for words, _ in getattr(bounds[0], part)]
        return list(zip(words, np.array([[value for _, value in getattr(b, part)] for b in bounds]).T, strict=True))

    if not bounds[0].log_likelihoods:
        alone = any(fitted(y, [kl]) is not None for _, kl in columns("kls"))
        raise NotYet(
            "nothing is decoded: this is the KL alone, and the log-likelihood is missing."
            if alone
            else "nothing is decoded: `vae.decoder` at a draw of z has the log-likelihood."
        )
    pairs = itertools.product(columns("log_likelihoods"), columns("kls"))
    candidates = [(2 * (bool(a) + bool(b)), f"{a} {b}".strip(), [-left, right]) for (a, left), (b, right) in pairs]
    words = read(y, ["log-likelihood", "KL"], candidates, WORDS, SIZES)
    if words == "":
        return
    several = fitted(y, [np.array([bound.several for bound in bounds])])
    if several is not None and abs(several[0] - 1) < 1e-3:
        raise NotYet(
            "this is an importance-weighted bound: the logarithm of a mean over several draws, tighter than the ELBO "
            "(Burda et al. 2015). The ELBO is asked for, the mean of the logarithms."
        )
    log_likelihood, kl = bounds[0].log_likelihoods[0][1], bounds[0].kls[0][1]
    raise NotYet(
        words
        or f"at its own draws the negative ELBO is {kl - log_likelihood:.5g}, log-likelihood {log_likelihood:.5g} and "
        f"KL {kl:.5g}, and {y[0]:.5g} comes back: no multiple of the two explains it."
    )


def _check_codes(bounds: list[Bound]) -> None:
    """Raise NotYet unless the decoded codes are draws from the posterior of their images."""
    noise = np.concatenate([bound.noise for bound in bounds])
    if np.abs(noise).max() < 1e-3:
        estimated = abs(bounds[0].output - (bounds[0].kls[1][1] - bounds[0].log_likelihoods[0][1])) < 1e-3
        raise NotYet(
            "nothing is drawn: the mean is decoded, and the KL is estimated at the mean as well. An estimate needs a "
            "draw from the posterior: `sample`."
            if estimated
            else MEAN
        )
    if np.abs(noise).max() > 8:
        raise NotYet(OTHERS)
    shared = sharing(noise, ("draws", "images", "latent dimensions"))
    if shared:
        raise NotYet(shared)
    if looks_standard_normal(noise):
        return
    if looks_standard_normal(np.concatenate([bound.by_variance for bound in bounds])):
        raise NotYet(
            "z is drawn with the variance in place of the standard deviation, so it hardly leaves the mean. Noise is "
            "multiplied by the standard deviation; `sample` of the posterior does it."
        )
    raise NotYet("the codes are no draws from the posterior. " + law_of(noise))
