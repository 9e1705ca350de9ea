"""TFP's KL layers: what every option adds to the loss, and that the one line of lesson 04 catches each wrong one.

The models are those of appendix A2 and the line is that of the lesson, taken from their sources. The factors are those
of the appendix's table: how many times the mean KL of a point enters the loss that ``fit`` and ``evaluate`` print.
"""

import ast
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

tfd, tfpl = tfp.distributions, tfp.layers
SOURCES = Path(__file__).parents[1] / "notebooks" / "source"
SAMPLES = 50
PRIOR = tfd.MultivariateNormalDiag(tf.zeros(4))


def lesson_functions(file, *names, **more):
    """Functions of a notebook's source, without running the notebook; ``more`` are names that they use."""
    nodes = [node for node in ast.parse((SOURCES / file).read_text()).body if getattr(node, "name", None) in names]
    assert sorted(node.name for node in nodes) == sorted(names)
    scope = {"np": np, "tf": tf, "tfd": tfd, "tfpl": tfpl, "keras": keras, "layers": keras.layers, **more}
    exec(compile(ast.Module(nodes, []), file, "exec"), scope)
    return [scope[name] for name in names]


_, with_add_loss, with_regularizer = lesson_functions(
    "A2_kl_layers.py", "make_point_decoder", "with_add_loss", "with_regularizer"
)
_, assert_elbo = lesson_functions("04_tfp_vae.py", "added_losses", "assert_elbo")


def draws(posterior):
    return posterior.sample(SAMPLES)


def one(size):
    return 1


def two(size):
    return 2


MANY = {"test_points_fn": draws}
OPTIONS = {
    "defaults": ({}, one, two),
    "exact": ({"use_exact_kl": True}, lambda size: size, two),
    "draws, default axis": (MANY, one, lambda size: 2 * SAMPLES),
    "draws, axis ()": (
        MANY | {"test_points_reduce_axis": ()},
        lambda size: SAMPLES * size,
        lambda size: 2 * SAMPLES,
    ),
    "draws, axis 0": (MANY | {"test_points_reduce_axis": 0}, lambda size: size, two),
    "draws, axis None": (MANY | {"test_points_reduce_axis": None}, one, lambda size: 2 / size),
}
CASES = [
    pytest.param(maker, options, factor, id=f"{name}: {option}")
    for option, (options, added, regularized) in OPTIONS.items()
    for name, maker, factor in (("AddLoss", with_add_loss, added), ("Regularizer", with_regularizer, regularized))
]


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(4).normal(size=(256, 12)).astype(np.float32)


def build(maker, **options):
    """A model of the lesson with reproducible weights, scaled up so that its posteriors are far from the prior."""
    keras.utils.set_random_seed(7)
    encoder, _, model = maker(PRIOR, **options)
    encoder.set_weights([1.5 * weight for weight in encoder.get_weights()])
    return encoder, model


def mean_kl(encoder, points, prior=PRIOR):
    return float(tf.reduce_mean(tfd.kl_divergence(encoder(points), prior)))


def no_likelihood(points, likelihood):
    """With this loss, what Keras prints is what the layers add."""
    return 0.0 * likelihood.log_prob(points)


def relative_error(encoder, points, options, kl):
    """Standard error of what one call of the model adds, relative to the KL."""
    if options.get("use_exact_kl"):
        return 0.0
    posterior = encoder(points)
    z = posterior.sample(50)
    spread = np.mean(np.std(posterior.log_prob(z) - PRIOR.log_prob(z), axis=0) ** 2) ** 0.5
    numbers = len(points) * (SAMPLES if "test_points_fn" in options else 1)
    return spread / np.sqrt(numbers) / kl


@pytest.mark.parametrize(("maker", "options", "factor"), CASES)
def test_evaluate_adds_the_factor_of_the_table_and_the_line_passes_only_if_it_is_one(maker, options, factor, points):
    encoder, model = build(maker, **options)
    model.compile(loss=no_likelihood)
    for size in (256, 64):
        batch = points[:size]
        kl = mean_kl(encoder, batch)
        error = relative_error(encoder, batch, options, kl) / np.sqrt(20)
        printed = model.evaluate(*2 * [np.tile(batch, (20, 1))], batch_size=size, verbose=0)  # the same batch 20 times
        np.testing.assert_allclose(printed / kl, factor(size), rtol=6 * error + 1e-4)
    if factor(64) == 1:  # the last batch again: each call of the line builds a program
        assert_elbo(model, encoder, batch, PRIOR)
    else:
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            assert_elbo(model, encoder, batch, PRIOR)


@pytest.mark.parametrize(
    ("maker", "number", "factor"), [(with_add_loss, 1, 1), (with_regularizer, 2, 2)], ids=["AddLoss", "Regularizer"]
)
def test_fit_minimises_the_likelihood_and_the_losses_of_the_layer(maker, number, factor, points):
    encoder, model = build(maker)
    decoder = model.layers[-1]
    decoder.set_weights([0 * weight for weight in decoder.get_weights()])  # a likelihood that no draw of z can change
    negative_log_likelihood = -float(tf.reduce_mean(model(points).log_prob(points)))
    assert len(model.losses) == number

    model.compile(keras.optimizers.SGD(0.0), loss=lambda points, likelihood: -likelihood.log_prob(points))
    history = model.fit(*2 * [np.tile(points, (50, 1))], batch_size=256, shuffle=False, verbose=0).history
    kl = mean_kl(encoder, points)
    error = relative_error(encoder, points, {}, kl) / np.sqrt(50)
    np.testing.assert_allclose((history["loss"][0] - negative_log_likelihood) / kl, factor, rtol=6 * error)


@pytest.mark.parametrize(
    ("maker", "weight", "size", "factor"),
    [
        (with_add_loss, 1 / 256, 256, 1),
        (with_add_loss, 1 / 256, 64, 1 / 4),
        (with_regularizer, 1 / 2, 256, 1),
        (with_regularizer, 1 / 2, 64, 1),
    ],
)
def test_a_weight_multiplies_and_can_undo_a_known_factor(maker, weight, size, factor, points):
    encoder, model = build(maker, use_exact_kl=True, weight=weight)
    kl = mean_kl(encoder, points[:size])
    model(points[:size])
    np.testing.assert_allclose(sum(model.losses) / kl, factor, rtol=1e-4)


def test_the_published_example_counts_ten_times_the_batch(points):
    options = {"weight": 10, "test_points_fn": lambda q: q.sample(10), "test_points_reduce_axis": 0}
    encoder, model = build(with_add_loss, **options)
    kl = mean_kl(encoder, points)
    model(points)
    np.testing.assert_allclose(sum(model.losses) / kl, 10 * 256, rtol=0.15)


def test_on_one_point_the_line_cannot_see_a_factor_of_the_batch_size(points):
    encoder, model = build(with_add_loss, use_exact_kl=True)
    assert_elbo(model, encoder, points[:1], PRIOR)


def test_the_exact_kl_is_refused_for_independent_normals_and_works_for_a_multivariate_one():
    independent = tfd.Independent(tfd.Normal(tf.zeros(4), 1.0), reinterpreted_batch_ndims=1)
    for maker in (with_add_loss, with_regularizer):
        with pytest.raises(NotImplementedError, match="No KL"):
            maker(independent, use_exact_kl=True)
        maker(independent)
        maker(PRIOR, use_exact_kl=True)


@pytest.mark.parametrize("seed", range(3))
def test_on_untrained_digit_networks_the_line_tells_one_from_two(seed):
    prior = tfd.MultivariateNormalDiag(tf.zeros(2))
    networks = "to_posterior", "make_encoder", "make_decoder", "with_add_loss", "with_regularizer"
    _, make_encoder, make_decoder, once, twice = lesson_functions("04_tfp_vae.py", *networks, latent_dim=2, prior=prior)
    keras.utils.set_random_seed(seed)
    encoder, decoder = make_encoder(), make_decoder()
    images = (np.random.default_rng(seed).random((64, 28, 28, 1)) < 0.2).astype(np.float32)
    assert mean_kl(encoder, images, prior) < 1, "an untrained encoder is close to the prior"
    assert_elbo(once(encoder, decoder), encoder, images, prior)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_elbo(twice(encoder, decoder), encoder, images, prior)
