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
from scipy.special import expit, logsumexp

from course_utils import models
from course_utils.checks.calling import Call, NotYet, check_shape
from course_utils.checks.noise import law_of, looks_standard_normal, sharing
from course_utils.checks.reading import fitted, read
from course_utils.checks.recording import recorded

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


def _draw(rng) -> np.ndarray:
    """New weights, and images, with which the two terms and their usual errors all cost some nats.

    The decoder bends within a posterior, the posteriors lie away from the prior's mean, and no two are alike.
    """
    _, encoder, decoder, _ = _vae()
    edges, weights = rng.normal(0, 1, (LATENT_DIM, 16)), rng.normal(0, 0.6, (16, PIXELS))
    decoder.set_weights([edges, rng.normal(0, 1, 16), weights, rng.normal(0, 1, PIXELS)])
    kernel = np.hstack([rng.normal(0, 0.7, (PIXELS, LATENT_DIM)), rng.normal(0, 0.12, (PIXELS, LATENT_DIM))])
    encoder.set_weights([kernel, np.concatenate([rng.normal(0, 1, LATENT_DIM), rng.uniform(-1.5, -1, LATENT_DIM)])])
    return (rng.random((BATCH, *SHAPE)) < rng.random(SHAPE)).astype(np.float32)


class Bound(NamedTuple):
    """What right and mistaken bounds of one call are made of, each a mean over the images, in nats."""

    output: float
    log_likelihoods: list[tuple[str, float]]  # the right one first, with no words; then what is taken for it
    kls: list[tuple[str, float]]  # exact, and estimated at its draws, with no words; then what is taken for it
    several: float  # the importance-weighted bound of several draws for each image, or NaN
    noise: np.ndarray  # (draws, batch, latent_dim), standardised
    by_variance: np.ndarray  # the same, with the variance in place of the standard deviation


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
OTHER_IMAGES = "other images than those of the batch"
ONLY_Q = "log p(z) is missing from the KL: this is log q(z|x) alone."
ONLY_P = "log q(z|x) is missing from the KL: this is minus log p(z) alone."


def examine_bound(call: Call, rng: np.random.Generator) -> None:
    """Raise NotYet unless every output is the negative ELBO at its own draws, which are draws from the posterior."""
    bounds = [_ask(call, _draw(rng)) for _ in range(4)]
    if not any(bound.output for bound in bounds):
        raise NotYet("not started yet? The function returns zeros only.")
    _check_terms(bounds)
    _check_codes(bounds)


def _ask(call: Call, images: np.ndarray) -> Bound:
    vae, encoder, _, memory = _vae()
    for part in memory:
        part.clear()
    output = call(vae, images)
    check_shape(output.shape, (), {"batch": BATCH, "latent_dim": LATENT_DIM})
    call.finite(output)
    flat = np.float64(images.reshape(BATCH, -1))
    for given, whose in [(memory.encoded, "encoder"), ([x for x, _ in memory.scored], "likelihood")]:
        given = [x.reshape(-1, PIXELS) for x in given if x.size % PIXELS == 0]
        if any(np.any(_rows_of(x, flat) < 0) for x in given):
            inverted = all(np.all(_rows_of(1 - x, flat) >= 0) for x in given)
            if inverted and whose == "likelihood":
                raise NotYet(INVERTED)
            raise NotYet(f"the {whose} is handed {'the images inverted (1 - x)' if inverted else OTHER_IMAGES}.")
    # The codes that were decoded, and the image that each was scored with: as scored, or else in the batch's order.
    z, image = [np.zeros((0, LATENT_DIM))], [np.zeros(0, int)]
    for scored, codes in memory.scored or [(images, codes) for codes in memory.decoded]:
        rows, codes = _rows_of(scored.reshape(-1, PIXELS), flat), codes.reshape(-1, LATENT_DIM)
        number = max(len(rows), len(codes))
        z.append(np.resize(codes, (number, LATENT_DIM)))
        image.append(np.resize(rows, number))
    kernel, bias = encoder.get_weights()
    mean, log_variance = np.split(flat @ kernel + bias, 2, axis=-1)
    return _bound(float(output), np.concatenate(z), np.concatenate(image), flat, mean, np.exp(log_variance / 2))


def _rows_of(some: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Which image of the batch each row is, or -1."""
    same = np.abs(some[:, None] - flat).max(axis=-1) < 1e-6
    return np.where(same.any(axis=1), same.argmax(axis=1), -1)


def kl_of_normals(mean_q, sd_q, mean_p, sd_p) -> np.ndarray:
    """KL(q || p), summed over the last axis."""
    mean_q, sd_q, mean_p, sd_p = map(np.float64, (mean_q, sd_q, mean_p, sd_p))
    return np.sum(np.log(sd_p / sd_q) + (sd_q**2 + (mean_q - mean_p) ** 2) / (2 * sd_p**2) - 0.5, axis=-1)


def _log_normal(z, mean, sd):
    return -np.sum(0.5 * ((z - mean) / sd) ** 2 + np.log(sd) + 0.5 * np.log(2 * np.pi), axis=-1)


def _log_bernoulli(x, logits):
    return np.sum(x * logits - np.logaddexp(0, logits), axis=-1)


def _bound(output, z, image, flat, mean, sd) -> Bound:
    vae, _, decoder, memory = _vae()
    q, p = (mean, sd), (np.float64(vae.prior.mean()), np.float64(vae.prior.stddev()))
    log_q, log_p = (np.concatenate([np.ravel(v) for v in part] or [[]]) for part in (memory.log_q, memory.log_p))
    kls = [("", np.mean(kl_of_normals(*q, *p)))]
    if len(log_q) and len(log_p):
        kls.append(("", np.mean(log_q) - np.mean(log_p)))
    elif len(log_q) or len(log_p):
        kls.append((ONLY_Q, np.mean(log_q)) if len(log_q) else (ONLY_P, -np.mean(log_p)))
    kls += [
        (REVERSED, np.mean(kl_of_normals(*p, *q))),
        (STANDARD, np.mean(kl_of_normals(*q, 0, 1))),
        ("the variance is taken for the standard deviation in the KL.", np.mean(kl_of_normals(mean, sd**2, *p))),
        ("the standard deviation is taken for the variance in the KL.", np.mean(kl_of_normals(mean, sd**0.5, *p))),
    ]
    if not len(z):
        return Bound(output, [], kls, np.nan, *np.zeros((2, 0, BATCH, LATENT_DIM)))
    edges, shift, weights, bias = map(np.float64, decoder.get_weights())
    x, logits = flat[image], np.tanh(z @ edges + shift) @ weights + bias
    log_likelihood, log_density = _log_bernoulli(x, logits), _log_normal(z, mean[image], sd[image])
    ratio = log_density - _log_normal(z, *p)
    kls[1:1] = [("", np.mean(ratio)), (STANDARD, np.mean(log_density - _log_normal(z, 0.0, 1.0)))]
    log_likelihoods = [
        ("", np.mean(log_likelihood)),
        (TWICE, np.mean(_log_bernoulli(x, expit(logits)))),
        (INVERTED, np.mean(_log_bernoulli(1 - x, logits))),
        (OTHERS, np.mean(_log_bernoulli(x[::-1], logits))),
    ]
    noise, several = ((z - mean[image]) / sd[image])[:, None], np.nan
    noise = np.stack([noise, noise / sd[image][:, None]])
    if np.ptp(np.bincount(image, minlength=BATCH)) == 0:
        order = np.argsort(image, kind="stable").reshape(BATCH, -1).T
        noise = noise[:, order, 0]
        several = -np.mean(logsumexp((log_likelihood - ratio)[order], axis=0) - np.log(len(order)))
    return Bound(output, log_likelihoods, kls, several, *noise)


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
