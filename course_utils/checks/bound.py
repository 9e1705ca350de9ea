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
from course_utils.checks.calling import NOTHING, Call, NotYet, check_shape, refuse
from course_utils.checks.noise import check_independent, law_of, looks_standard_normal
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
    log_q: list  # (codes, their log densities) under the posterior, and under the prior
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
        return recorded(posterior, lambda z, log_prob: memory.log_q.append((z, log_prob)))

    def remember_likelihood(z, likelihood):
        z = np.asarray(z)
        memory.decoded.append(z)
        return recorded(likelihood, lambda images, _: memory.scored.append((images, z)))

    _watch(vae.encoder, remember_posterior)
    _watch(vae.decoder, remember_likelihood)
    recorded(prior, lambda z, log_prob: memory.log_p.append((z, log_prob)))
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
    """What right and mistaken bounds of one call are made of."""

    output: float
    means: dict[str, float]  # over the images, in nats: ``LOG_LIKELIHOODS``, ``KLS``
    noise: np.ndarray  # (draws, batch, latent_dim), standardised
    by_variance: np.ndarray  # the same, with the variance in place of the standard deviation
    by_prior: np.ndarray  # the codes, standardised by the prior
    at_mean: bool  # whether log q or log p was asked at the means of the posteriors


INVERTED = "the images are inverted (1 - x) in the likelihood: the ones are scored with the probability of a zero."
OTHERS = "codes and images belong to different rows: has one of the two been shuffled or reversed?"
STANDARD = "the prior is taken for N(0, I), and this one is not: the KL is that from `vae.prior`."
LOG_LIKELIHOODS = {  # the right one, and what is taken for it
    "log_likelihood": "",
    "twice": "the sigmoid is applied twice: the decoder's distribution has its own. Ask it for `log_prob`.",
    "inverted": INVERTED,
    "others": OTHERS,
}
KLS = {  # exact, estimated at the draws, and as it was asked for; what is taken for it
    "kl": "",
    "estimate": "",
    "asked": "",
    "only_q": "log p(z) is missing from the KL: this is log q(z|x) alone.",
    "only_p": "log q(z|x) is missing from the KL: this is minus log p(z) alone.",
    "reversed": "the KL is reversed: KL(p||q), with the prior first. The bound holds with the posterior first.",
    "standard": STANDARD,
    "standard_estimate": STANDARD,
    "variance": "the variance is taken for the standard deviation in the KL.",
    "root": "the standard deviation is taken for the variance in the KL.",
}


def examine_bound(call: Call, rng: np.random.Generator) -> None:
    """Raise NotYet unless every output is the negative ELBO at its own draws, which are draws from the posterior."""
    bounds = [_ask(call, _draw(rng)) for _ in range(4)]
    refuse({NOTHING: not any(bound.output for bound in bounds)})
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
            inverted = bool(all(np.all(_rows_of(1 - x, flat) >= 0) for x in given))
            if inverted and whose == "likelihood":
                raise NotYet(INVERTED)
            raise NotYet(f"the {whose} is handed {OTHER_IMAGES[inverted]}.")
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


OTHER_IMAGES = ("other images than those of the batch", "the images inverted (1 - x)")


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
    q, p = (mean, sd), [np.asarray(part(), np.float64) for part in (vae.prior.mean, vae.prior.stddev)]
    values = {
        "kl": kl_of_normals(*q, *p),
        "reversed": kl_of_normals(*p, *q),
        "standard": kl_of_normals(*q, 0, 1),
        "variance": kl_of_normals(mean, sd**2, *p),
        "root": kl_of_normals(mean, sd**0.5, *p),
    }
    log_q, log_p = (np.concatenate([np.ravel(v) for _, v in part] or [[]]) for part in (memory.log_q, memory.log_p))
    if len(log_q) and len(log_p):
        values["asked"] = np.mean(log_q) - np.mean(log_p)
    elif len(log_q) or len(log_p):
        values |= {"only_q": log_q} if len(log_q) else {"only_p": -log_p}
    asked = [z.reshape(-1, 1, LATENT_DIM)[:1000] for z, _ in (*memory.log_q, *memory.log_p)]
    at_mean = any(np.all(np.abs(codes - mean).max(axis=-1).min(axis=-1) < 1e-4) for codes in asked)
    noise = np.zeros((3, 0, BATCH, LATENT_DIM))
    if len(z):
        edges, shift, weights, bias = map(np.float64, decoder.get_weights())
        x, logits = flat[image], np.tanh(z @ edges + shift) @ weights + bias
        log_likelihood, log_density = _log_bernoulli(x, logits), _log_normal(z, mean[image], sd[image])
        ratio = log_density - _log_normal(z, *p)
        values |= {"estimate": ratio, "standard_estimate": log_density - _log_normal(z, 0.0, 1.0)}
        values |= {"log_likelihood": log_likelihood, "twice": _log_bernoulli(x, expit(logits))}
        values |= {"inverted": _log_bernoulli(1 - x, logits), "others": _log_bernoulli(x[::-1], logits)}
        noise = ((z - mean[image]) / sd[image])[:, None]
        noise = np.stack([noise, noise / sd[image][:, None], ((z - p[0]) / p[1])[:, None]])
        if np.ptp(np.bincount(image, minlength=BATCH)) == 0:  # as many draws for each image
            order = np.argsort(image, kind="stable").reshape(BATCH, -1).T
            noise = noise[:, order, 0]
            values["several"] = np.log(len(order)) - logsumexp((log_likelihood - ratio)[order], axis=0)
    return Bound(output, {name: np.mean(value) for name, value in values.items()}, *noise, at_mean)


WORDS = {
    "-1": "This is the ELBO, not its negative: an optimizer would minimise it. The sign of the whole is wrong.",
    "batch": "This is summed over the batch: it grows with the batch size. Average over the batch.",
    "log-likelihood: 1/pixels": "The log-likelihood is averaged over pixels. It is a sum: with the mean, the KL "
    "outweighs it and the codes fall back to the prior.",
    "log-likelihood: 0": "The likelihood hardly enters, this is the KL alone: is the log-likelihood left out, or is "
    "that `prob` in place of `log_prob`? The probability of a whole image is nearly 0, its logarithm is not.",
    "KL: 0": "The KL is forgotten: what is left is the loss of a noisy autoencoder, and its codes drift as they like.",
    "KL: batch": "The KL alone is summed over the batch, so its weight is the batch size. Average both terms.",
    "KL: 1/latent dimensions": "The KL is averaged over the latent dimensions. Nats of independent dimensions add up.",
}


def _check_terms(bounds: list[Bound]) -> None:
    """Raise NotYet unless the output is KL - log-likelihood, for one of the ways to a KL."""
    y, first = np.array([bound.output for bound in bounds]), bounds[0].means

    def columns(table: dict[str, str]) -> list[tuple]:
        return [(words, np.array([b.means.get(name, np.nan) for b in bounds])) for name, words in table.items()]

    if "log_likelihood" not in first:
        alone = any(fitted(y, [kl]) is not None for _, kl in columns(KLS))
        missing = "this is the KL alone, and the log-likelihood is missing."
        raise NotYet(
            f"nothing is decoded: {missing if alone else '`vae.decoder` at a draw of z has the log-likelihood.'}"
        )
    pairs = itertools.product(columns(LOG_LIKELIHOODS), columns(KLS))
    candidates = [(2 * (bool(a) + bool(b)), f"{a} {b}".strip(), [-left, right]) for (a, left), (b, right) in pairs]
    words = read(y, ["log-likelihood", "KL"], candidates, WORDS, SIZES)
    if words == "":
        return
    if np.allclose(y, columns({"several": ""})[0][1], rtol=1e-4):
        raise NotYet(
            "this is an importance-weighted bound: the logarithm of a mean over several draws, tighter than the ELBO "
            "(Burda et al. 2015). The ELBO is asked for, the mean of the logarithms."
        )
    raise NotYet(
        words
        or f"at its own draws the negative ELBO is {first['kl'] - first['log_likelihood']:.5g}, log-likelihood "
        f"{first['log_likelihood']:.5g} and KL {first['kl']:.5g}, and {y[0]:.5g} comes back: no usual multiple of the "
        "two explains it."
    )


def _check_codes(bounds: list[Bound]) -> None:
    """Raise NotYet unless the decoded codes are draws from the posterior of their images."""
    noise, first = np.concatenate([bound.noise for bound in bounds]), bounds[0].means
    estimated = abs(bounds[0].output - (first["estimate"] - first["log_likelihood"])) < 1e-3
    constant = np.abs(noise).max() < 1e-3
    refuse(
        {
            "nothing is drawn: the mean is decoded, and the KL is estimated at the mean as well. An estimate needs a "
            "draw from the posterior: `sample`.": constant and estimated,
            "you decoded the mean of the posterior instead of a draw. The value is better than the bound, and it is "
            "not an ELBO: `sample`.": constant,
            "the KL is estimated at the mean of the posterior. An estimate takes draws from it.": any(
                bound.at_mean for bound in bounds
            ),
            "the codes are draws from the prior. Draw those of an image from its posterior.": looks_standard_normal(
                np.concatenate([bound.by_prior for bound in bounds])
            ),
            OTHERS: np.abs(noise).max() > 8,
        }
    )
    check_independent(noise, ("draws", "images", "latent dimensions"))
    if looks_standard_normal(noise):
        return
    if looks_standard_normal(np.concatenate([bound.by_variance for bound in bounds])):
        raise NotYet(
            "z is drawn with the variance in place of the standard deviation, so it hardly leaves the mean. Noise is "
            "multiplied by the standard deviation; `sample` of the posterior does it."
        )
    raise NotYet("the codes are no draws from the posterior. " + law_of(noise))
