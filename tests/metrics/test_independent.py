"""metrics: a small Bernoulli VAE once more in NumPy, from its weights alone, by quadrature over a plane of codes."""

import numpy as np
import pytest
import tiny_vae as tiny

from course_utils import metrics, models

NUMBER = 12


@pytest.fixture(scope="module")
def known():
    """The model, its images, and what quadrature finds."""
    vae, rng = tiny.vae(models.bernoulli_of), np.random.default_rng(7)
    (to_code, at_code), (to_logits, at_logits) = vae.encoder.get_weights(), vae.decoder.get_weights()
    to_code = np.array([0.4, 0.4, 0.1, 0.1]) * rng.standard_normal(to_code.shape)
    to_logits = 0.6 * rng.standard_normal(to_logits.shape)
    at_code = np.array([0.3, -0.2, -1.0, -0.4])
    vae.encoder.set_weights([to_code, at_code])
    vae.decoder.set_weights([to_logits, at_logits])
    images = (rng.random((NUMBER, *tiny.SHAPE)) > 0.5).astype(np.float32)

    x = images.reshape(NUMBER, -1).astype(np.float64)
    mean, log_variance = np.split(x @ to_code + at_code, 2, axis=1)
    axis = np.linspace(-9, 9, 451)
    area = (axis[1] - axis[0]) ** 2
    z = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    logits = z @ to_logits + at_logits
    log_likelihood = x @ logits.T - np.logaddexp(0, logits).sum(axis=1)
    log_prior = -0.5 * np.sum(z**2, axis=1) - np.log(2 * np.pi)
    log_q = -0.5 * np.sum((z - mean[:, None]) ** 2 / np.exp(log_variance[:, None]) + log_variance[:, None], axis=2)
    log_q -= np.log(2 * np.pi)
    q = np.exp(log_q) * area
    np.testing.assert_allclose(q.sum(axis=1), 1, rtol=1e-6)
    aggregate = q.mean(axis=0)
    found = {
        "distortion": -np.mean(np.sum(q * log_likelihood, axis=1)),
        "rate": np.mean(np.sum(q * (log_q - log_prior), axis=1)),
        "log_p": np.mean(np.log(np.sum(np.exp(log_likelihood + log_prior), axis=1) * area)),
        "information": np.mean(np.sum(q * (log_q - np.log(aggregate / area)), axis=1)),
        "aggregate_kl": np.sum(aggregate * (np.log(aggregate / area) - log_prior)),
    }
    step, planes = axis[1] - axis[0], q.reshape(NUMBER, len(axis), len(axis))
    normal = np.exp(-(axis**2) / 2) / np.sqrt(2 * np.pi)
    for j in (0, 1):
        line = planes.sum(axis=2 - j) / step  # the density of z_j
        mixture = line.mean(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            found[f"rate {j}"] = np.nansum(line * np.log(line / normal), axis=1).mean() * step
            found[f"information {j}"] = np.nansum(line * np.log(line / mixture), axis=1).mean() * step
            found[f"aggregate {j}"] = np.nansum(mixture * np.log(mixture / normal)) * step
    return vae, images, found


def test_what_quadrature_finds_is_consistent(known):
    _, _, found = known
    assert found["rate"] == pytest.approx(found["information"] + found["aggregate_kl"], rel=1e-6)
    assert found["rate"] == pytest.approx(found["rate 0"] + found["rate 1"], rel=1e-6)
    assert 0.3 < found["information"] < np.log(NUMBER) and found["aggregate_kl"] > 0.05
    assert found["aggregate 0"] + found["aggregate 1"] < found["aggregate_kl"]
    assert found["log_p"] > 0.5 - found["distortion"] - found["rate"]


def test_rate_distortion_and_the_bounds(known):
    vae, images, found = known
    many = np.repeat(images, 500, axis=0)
    terms = metrics.rate_distortion(vae, many)
    assert terms.rate.mean == pytest.approx(found["rate"], rel=1e-4)
    assert abs(terms.distortion.mean - found["distortion"]) < 4 * terms.distortion.standard_error < 0.5
    first = metrics.importance_weighted_bound(vae, many, 1)
    assert abs(first.mean + found["distortion"] + found["rate"]) < 4 * first.standard_error
    assert metrics.importance_weighted_bound(vae, images, 20_000).mean == pytest.approx(found["log_p"], abs=0.05)


def test_the_kl_of_each_dimension(known):
    vae, images, found = known
    np.testing.assert_allclose(
        metrics.kl_per_dimension(vae, images, batch_size=5), [found["rate 0"], found["rate 1"]], rtol=1e-4
    )


def check(found, expected):
    """Of images that were all repeated the mixture is the same, and there are more draws."""
    assert np.all(np.abs(np.array(found.mean) - expected) < 4 * np.array(found.standard_error))
    assert np.max(found.standard_error) < 0.03


def test_the_kl_taken_apart(known):
    vae, images, found = known
    information, aggregate_kl = metrics.kl_decomposition(vae, np.repeat(images, 300, axis=0))
    check(information, found["information"])
    check(aggregate_kl, found["aggregate_kl"])


def test_the_kl_of_each_dimension_taken_apart(known):
    vae, images, found = known
    information, aggregate_kl = metrics.kl_decomposition_per_dimension(vae, np.repeat(images, 300, axis=0))
    check(information, [found["information 0"], found["information 1"]])
    check(aggregate_kl, [found["aggregate 0"], found["aggregate 1"]])
