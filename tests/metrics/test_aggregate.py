"""metrics: the KL taken apart, against the closed forms of Gaussians, with the bias that its docstring states."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from linear_gaussian import LinearGaussian

from course_utils import metrics
from course_utils.border.shapes import Parts

tfd = tfp.distributions


def closed(mean, covariance, variances):
    """Mutual information, and KL(N(mean, covariance) || N(0, I))."""
    log_volume = np.linalg.slogdet(covariance)[1]
    information = 0.5 * (log_volume - np.sum(np.log(variances)))
    return information, 0.5 * (np.trace(covariance) + mean @ mean - len(mean) - log_volume)


@pytest.mark.parametrize("wrong", [{}, {"shift": 0.7}, {"turn": 0.6, "wider": 1.5, "shift": -0.4}])
def test_both_parts_are_those_of_gaussians(wrong):
    model = LinearGaussian(**wrong)
    images = model.draw(2000)
    information, aggregate_kl = metrics.kl_decomposition(model, images)
    expected = closed(*model.aggregate, model.variance)
    assert abs(information.mean - expected[0]) < 4 * information.standard_error < 0.15
    assert abs(aggregate_kl.mean - expected[1]) < 4 * aggregate_kl.standard_error + 0.01  # and the bias
    assert information.mean + aggregate_kl.mean == pytest.approx(
        metrics.rate_distortion(model, images).rate.mean, abs=0.1
    )


def test_each_dimension_is_that_of_its_marginals():
    model = LinearGaussian(turn=0.6, wider=1.5, shift=-0.4)
    information, aggregate_kl = metrics.kl_decomposition_per_dimension(model, model.draw(2000))
    mean, covariance = model.aggregate
    for j in (0, 1):
        expected = closed(mean[[j]], covariance[[j]][:, [j]], model.variance[[j]])
        assert abs(information.mean[j] - expected[0]) < 4 * information.standard_error[j]
        assert abs(aggregate_kl.mean[j] - expected[1]) < 4 * aggregate_kl.standard_error[j] + 0.01
    assert information.mean.shape == information.standard_error.shape == (2,)


def test_codes_that_move_together_have_total_correlation_beside_its_marginals():
    model = LinearGaussian()
    model.to_mean = np.array([[1, 0], [1, 0.7]]) @ model.to_mean
    mean, covariance = model.aggregate
    expected = 0.5 * (np.log(np.diag(covariance)).sum() - np.linalg.slogdet(covariance)[1])
    images = model.draw(2000)
    whole = metrics.kl_decomposition(model, images).aggregate_kl.mean
    parts = metrics.kl_decomposition_per_dimension(model, images).aggregate_kl.mean.sum()
    assert expected > 0.2 and whole - parts == pytest.approx(expected, abs=0.05)


def test_few_images_make_information_too_small_and_the_aggregate_kl_too_large():
    model = LinearGaussian(wider=0.5)
    model.parts = Parts((2, 2, 1), False)  # which spares a look at the model in every run
    exact = closed(*model.aggregate, model.variance)
    runs = [[part.mean for part in metrics.kl_decomposition(model, model.draw(15, seed))] for seed in range(60)]
    mean, error = np.mean(runs, axis=0), np.std(runs, axis=0) / len(runs) ** 0.5
    assert mean[0] + 4 * error[0] < exact[0]
    assert mean[1] - 4 * error[1] > exact[1]
    assert abs(mean.sum() - sum(exact)) < 4 * np.std(np.sum(runs, axis=1)) / len(runs) ** 0.5, "the rate has no bias"


def test_information_is_never_above_the_log_of_the_number_and_none_where_codes_tell_nothing():
    sharp = LinearGaussian(wider=1e-3)
    information, _ = metrics.kl_decomposition(sharp, sharp.draw(40))
    assert information.mean == pytest.approx(np.log(40), abs=1e-3) and information.mean <= np.log(40) + 1e-9
    deaf = LinearGaussian()
    deaf.to_mean, deaf.variance = 0 * deaf.to_mean, np.ones(2)
    for part in metrics.kl_decomposition(deaf, deaf.draw(40)):
        assert abs(part.mean) < 1e-5 and part.standard_error < 1e-5
    for part in metrics.kl_decomposition_per_dimension(deaf, deaf.draw(40)):
        assert np.all(np.abs(part.mean) < 1e-5)


def test_chunks_change_nothing(monkeypatch):
    from course_utils.metrics import aggregate

    model = LinearGaussian(turn=0.3)
    images, found = model.draw(50), []
    for cells in (10**6, 70, 1):
        monkeypatch.setattr(aggregate, "CELLS", cells)
        tf.random.set_seed(3)
        found.append(metrics.kl_decomposition(model, images, batch_size=cells))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    np.testing.assert_allclose(found[0], found[2], rtol=1e-5)


def test_the_prior_may_be_any_and_the_posterior_not():
    model = LinearGaussian()
    images = model.draw(500)
    plain = metrics.kl_decomposition(model, images)
    components = tfd.MultivariateNormalDiag(tf.zeros((2, 2)), tf.ones((2, 2)))  # N(0, I) in other words
    model.prior = tfd.MixtureSameFamily(tfd.Categorical(probs=[0.4, 0.6]), components)
    mixed = metrics.kl_decomposition(model, images)
    assert mixed.aggregate_kl.mean == pytest.approx(plain.aggregate_kl.mean, abs=0.1)
    with pytest.raises(ValueError, match="the prior is MixtureSameFamily, and must be a diagonal Gaussian"):
        metrics.kl_decomposition_per_dimension(model, images)
    encoder = model.encoder
    model.encoder = lambda images, training=False: tfd.MultivariateNormalTriL(encoder(images).mean(), tf.eye(2))
    with pytest.raises(ValueError, match="kl_decomposition: the posterior is MultivariateNormalTriL"):
        metrics.kl_decomposition(model, images)
