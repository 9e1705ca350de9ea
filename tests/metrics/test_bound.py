"""metrics: ELBO and importance-weighted bound against a model whose log p(x) is known, and against quadrature."""

import linear_gaussian
import numpy as np
import pytest
import tensorflow as tf
import tiny_vae as tiny
from linear_gaussian import NOISE, LinearGaussian

from course_utils import elbo, metrics, models

WRONG = {"shift": 0.2, "wider": 1.3}


def test_at_the_true_posterior_both_bounds_are_log_p():
    model = LinearGaussian()
    images = model.draw(200)
    exact = np.mean(model.log_evidence(images))
    negative_elbo, distortion, rate = metrics.rate_distortion(model, images, batch_size=64, samples=60)
    assert abs(negative_elbo.mean + exact) < 0.05
    assert negative_elbo.mean == pytest.approx(distortion.mean + rate.mean)
    for k in (1, 3, 40):  # every weight is p(x) itself, so that nothing is left to chance
        assert metrics.importance_weighted_bound(model, images, k, batch_size=16).mean == pytest.approx(exact, abs=1e-4)


def test_the_elbo_of_a_wrong_posterior_lies_below_by_its_divergence_from_the_true_one():
    model = LinearGaussian(turn=0.2, **WRONG)
    images = model.draw(300)
    gap = np.mean(model.gap(images))
    negative_elbo, distortion, rate = metrics.rate_distortion(model, images, samples=100)
    assert gap > 0.1 and abs(negative_elbo.mean + np.mean(model.log_evidence(images)) - gap) < 0.04
    means = (images.reshape(-1, 4) - 0.5) @ model.to_mean.T + model.shift
    closed = 0.5 * np.sum(model.variance + means**2 - 1 - np.log(model.variance), axis=1)
    assert rate.mean == pytest.approx(closed.mean(), rel=1e-5)
    squares = np.sum((images.reshape(-1, 4) - 0.5 - means @ model.w.T) ** 2, axis=1)
    squares += np.sum(model.w**2 @ model.variance)  # E_q of the squared error
    expected = np.mean(squares / (2 * NOISE**2) + 2 * np.log(2 * np.pi * NOISE**2))
    assert abs(distortion.mean - expected) < 0.04


def test_the_bound_rises_to_log_p_with_k_and_starts_at_the_elbo():
    model = LinearGaussian(**WRONG)
    images = model.draw(150)
    exact = np.mean(model.log_evidence(images))
    repeated = np.repeat(images, 40, axis=0)  # as many draws of the bound of each image
    first = metrics.importance_weighted_bound(model, repeated, 1)
    assert abs(first.mean - (exact - np.mean(model.gap(images)))) < 0.03
    bounds = [first.mean] + [metrics.importance_weighted_bound(model, repeated, k).mean for k in (2, 8)]
    bounds.append(metrics.importance_weighted_bound(model, images, 2000).mean)
    assert all(after - before > 0.01 for before, after in zip(bounds, bounds[1:], strict=False))
    assert bounds[-1] == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("k", [2, 3])
def test_the_bound_of_few_draws_is_that_of_quadrature(k):
    model = LinearGaussian(latent_dim=1, shift=0.6, wider=1.5)
    image = model.draw(1)
    nodes, probabilities = np.polynomial.hermite_e.hermegauss(60)
    probabilities = probabilities / probabilities.sum()
    x = image.reshape(4).astype(np.float64) - 0.5
    z = model.to_mean @ x + model.shift + np.sqrt(model.variance) * nodes
    log_w = -np.sum((x[:, None] - model.w @ z[None]) ** 2, axis=0) / (2 * NOISE**2) - 2 * np.log(2 * np.pi * NOISE**2)
    log_w += -(z**2) / 2 + nodes**2 / 2 + 0.5 * np.log(model.variance)
    mean = np.exp(log_w) / k
    total, weight = mean, probabilities
    for _ in range(k - 1):
        total, weight = np.add.outer(total, mean), np.multiply.outer(weight, probabilities)
    expected = np.sum(weight * np.log(total))
    found = metrics.importance_weighted_bound(model, np.repeat(image, 20_000, axis=0), k)
    assert expected < model.log_evidence(image)[0] - 0.05
    assert abs(found.mean - expected) < 4 * found.standard_error < 0.05


def test_standard_errors_are_those_of_a_mean_over_images():
    images = LinearGaussian().draw(30)
    exact = LinearGaussian().log_evidence(images)
    bound = metrics.importance_weighted_bound(LinearGaussian(), images, 3)
    assert bound.standard_error == pytest.approx(np.std(exact, ddof=1) / 30**0.5, rel=1e-4)
    model = LinearGaussian(**WRONG)
    means = (images.reshape(-1, 4) - 0.5) @ model.to_mean.T + model.shift
    rate = metrics.rate_distortion(model, images).rate
    assert rate.standard_error == pytest.approx(np.std(0.5 * np.sum(means**2, axis=1), ddof=1) / 30**0.5, rel=1e-4)


def test_it_agrees_with_the_evaluation_of_the_lessons():
    model = LinearGaussian(**WRONG)
    images = model.draw(2000)
    one, other = metrics.rate_distortion(model, images), elbo.evaluate(model, images)
    assert one.rate.mean == pytest.approx(other["kl"], rel=1e-5)
    assert one.negative_elbo.standard_error == pytest.approx(other["standard_error"], rel=0.1)
    assert abs(one.negative_elbo.mean - other["negative_elbo"]) < 4 * other["standard_error"]


class Recording(LinearGaussian):
    """Notes how many codes the decoder is given at a time."""

    def __init__(self, **options):
        super().__init__(**options)
        self.given = []

    def decoder(self, z, training=False):
        self.given.append(z.shape[0])
        return super().decoder(z)


@pytest.fixture
def eager():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("number, k, batch_size", [(3, 5000, 1000), (5, 7, 3), (11, 2, 8), (4, 1, 1)])
def test_the_decoder_gets_a_chunk_at_a_time_and_every_draw_once(number, k, batch_size, eager):
    model = Recording(**WRONG)
    images = model.draw(number)
    metrics.importance_weighted_bound(model, images[:2], 1)
    model.given.clear()
    found = metrics.importance_weighted_bound(model, images, k, batch_size)
    looked = [size for size in model.given if size is not None]  # one look at the model is symbolic
    assert max(looked) <= batch_size and sum(looked) == number * k
    assert found.mean < np.mean(model.log_evidence(images)) + 4 * found.standard_error


def test_weights_that_no_number_can_hold_are_added_all_the_same(monkeypatch):
    monkeypatch.setattr(linear_gaussian, "NOISE", 0.01)
    model = LinearGaussian()
    images = np.tile(np.float32([1, 1, 0, 0]).reshape(1, 2, 2, 1), (20, 1, 1, 1))  # nothing that the model draws
    exact = np.mean(model.log_evidence(images))
    assert np.exp(exact) == 0
    assert metrics.importance_weighted_bound(model, images, 50, 7).mean == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, None])
def test_a_number_of_draws_that_is_none_is_refused(k):
    model = LinearGaussian()
    with pytest.raises(ValueError, match=r"importance_weighted_bound: k=.* must be a whole number of 1 or more"):
        metrics.importance_weighted_bound(model, model.draw(3), k)
    with pytest.raises(ValueError, match="rate_distortion: samples="):
        metrics.rate_distortion(model, model.draw(3), samples=k)


@pytest.mark.parametrize("images, words", [(tiny.images(1), "needs two or more"), (tiny.images()[..., 0], "channel")])
def test_images_that_the_model_is_not_made_for_are_refused(images, words):
    vae = tiny.vae()
    for name in ("rate_distortion", "kl_per_dimension", "code_variances", "active_units", "kl_decomposition"):
        with pytest.raises(ValueError, match=f"{name}: .*{words}"):
            getattr(metrics, name)(vae, images)
    with pytest.raises(ValueError, match=f"importance_weighted_bound: .*{words}"):
        metrics.importance_weighted_bound(vae, images, 2)


def test_grey_images_are_refused_where_the_likelihood_is_bernoulli():
    with pytest.raises(ValueError, match="importance_weighted_bound: grey pixels"):
        metrics.importance_weighted_bound(tiny.vae(models.bernoulli_of), tiny.images(), 2)
