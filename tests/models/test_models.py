"""models: what the parts return, what the loss is, and that training lowers it."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

from course_utils import data, drawn, elbo, models, networks, precision, runtime, training

tfd = tfp.distributions


def small_vae(likelihood=models.bernoulli_of, beta=1.0):
    encoder, decoder = networks.dense_vae_networks(latent_dim=2, width=16)
    return models.VAE(models.posterior_of(encoder), likelihood(decoder), models.standard_normal(2), beta)


@pytest.fixture(scope="module")
def garments():
    return drawn.garments(512, np.random.default_rng(0))[0]


def test_encoder_and_decoder_are_distributions_over_codes_and_images(garments):
    vae = small_vae()
    posterior = vae.encoder(data.binarise(garments[:5]))
    likelihood = vae.decoder(posterior.sample())
    assert (posterior.batch_shape, posterior.event_shape) == ((5,), (2,))
    assert (likelihood.batch_shape, likelihood.event_shape) == ((5,), (28, 28, 1))
    assert vae.prior.event_shape == (2,)
    assert vae.sample(7).mean().shape == (7, 28, 28, 1)


def test_the_posterior_reads_a_log_variance():
    network = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda x: tf.concat([0 * x, x], -1))])
    sd = models.posterior_of(network)(tf.constant([[np.log(9.0)]], tf.float32)).stddev()
    np.testing.assert_allclose(sd, [[3.0]], rtol=1e-6)


def test_the_bernoulli_likelihood_is_the_summed_cross_entropy(garments):
    _, decoder = networks.dense_vae_networks(width=16)
    z, images = tf.random.normal((5, 2)), data.binarise(garments[:5])
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=images, logits=decoder(z))
    np.testing.assert_allclose(
        models.bernoulli_of(decoder)(z).log_prob(images), -np.sum(cross_entropy, axis=(1, 2, 3)), rtol=1e-5
    )


def test_a_thousand_times_the_squared_error_is_a_gaussian_of_variance_d_over_2000(garments):
    _, decoder = networks.batchnorm_vae_networks()
    z, images = tf.random.normal((5, 2)), data.to_float(garments[:5])
    published = 1000 * np.mean((images - decoder(z)) ** 2, axis=(1, 2, 3))
    constant = 0.5 * 784 * np.log(2 * np.pi * 0.392)
    np.testing.assert_allclose(
        -models.gaussian_of(decoder, 784 / 2000)(z).log_prob(images), published + constant, rtol=1e-5
    )
    with pytest.raises(ValueError, match="must be positive"):
        models.gaussian_of(decoder, 0.0)


def test_the_loss_is_the_negative_elbo_and_beta_weighs_the_kl(garments):
    images = data.binarise(garments[:64])
    for beta in (1.0, 4.0):
        loss, reconstruction, kl = small_vae(beta=beta).negative_elbo(images)
        assert float(loss) == pytest.approx(float(reconstruction + beta * kl), rel=1e-6)
    vae = small_vae()
    losses = [float(vae.negative_elbo(images)[0]) for _ in range(50)]
    result = elbo.evaluate(vae, images, samples=50)
    assert abs(np.mean(losses) - result["negative_elbo"]) < 0.5


def test_fit_lowers_the_loss_and_two_runs_from_one_seed_agree(garments):
    def run():
        runtime.set_seed(1)
        vae = small_vae()
        history = training.fit(vae, garments, epochs=4, peak_rate=5e-3, batch_size=64, transform="binarise")
        return history["loss"], vae.get_weights()

    (losses, weights), (again, _) = run(), run()
    assert losses[-1] < 0.8 * losses[0]
    np.testing.assert_allclose(losses, again, rtol=1e-4)
    assert all(np.all(np.isfinite(weight)) for weight in weights)


def test_weights_survive_a_file(garments, tmp_path):
    vae, other = small_vae(), small_vae()
    codes = tf.random.normal((3, 2))
    for model in (vae, other):
        model(data.binarise(garments[:2]))
    assert not np.allclose(vae.decoder(codes).mean(), other.decoder(codes).mean())
    vae.save_weights(tmp_path / "vae.weights.h5")
    other.load_weights(tmp_path / "vae.weights.h5")
    np.testing.assert_array_equal(vae.decoder(codes).mean(), other.decoder(codes).mean())


def test_bfloat16_networks_keep_their_losses_in_float32(garments):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        encoder, decoder = networks.batchnorm_vae_networks()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    vae = models.VAE(models.posterior_of(encoder), models.gaussian_of(decoder, 0.392), models.standard_normal(2))
    losses = vae.negative_elbo(data.to_float(garments[:8]))
    assert all(loss.dtype == tf.float32 and np.isfinite(loss) for loss in losses)


def calibrated_vae(variance=0.1):
    _, decoder = networks.batchnorm_vae_networks()
    encoder, _ = networks.dense_vae_networks(width=16)
    return models.VAE(
        models.posterior_of(encoder), models.calibrated_gaussian_of(decoder, variance), models.standard_normal(2)
    )


def test_the_calibrated_variance_moves_to_the_mean_squared_error(garments):
    vae = calibrated_vae(variance=0.5)
    images = data.to_float(garments[:64])
    vae.compile(keras.optimizers.SGD(0.0, jit_compile=False))
    before = float(vae.decoder.variance)
    seed = tf.stack([runtime.SEED, 0])
    means = vae.decoder(vae.encoder(images).sample(seed=seed), training=True).mean()
    vae.train_on_batch(images)
    expected = 0.9 * before + 0.1 * elbo.calibrated_variance(images, means)
    np.testing.assert_allclose(float(vae.decoder.variance), expected, rtol=1e-4)
    training.fit(vae, garments, epochs=8, peak_rate=2e-3, batch_size=32)
    images = data.to_float(garments)
    error = elbo.calibrated_variance(images, vae(images).mean())
    assert abs(np.log(float(vae.decoder.variance) / error)) < 0.3


def test_the_gradient_at_the_calibrated_variance_is_that_of_half_d_log_mse(garments):
    images, mean = data.to_float(garments[:8]), tf.Variable(tf.fill((8, 28, 28, 1), 0.3))
    error = float(tf.reduce_mean((images - mean) ** 2))
    with tf.GradientTape(persistent=True) as tape:
        likelihood = tfd.Independent(tfd.Normal(mean, error**0.5), 3)
        negative = -tf.reduce_mean(likelihood.log_prob(images))
        logarithm = 0.5 * 784 * tf.math.log(tf.reduce_mean((images - mean) ** 2))
    np.testing.assert_allclose(tape.gradient(negative, mean), tape.gradient(logarithm, mean), rtol=1e-3, atol=1e-4)


def test_the_noise_of_a_step_depends_on_its_number_alone(garments):
    losses = []
    for draws_before in (0, 3):
        runtime.set_seed()
        vae = calibrated_vae()
        vae.compile(keras.optimizers.SGD(0.0, jit_compile=False))
        for _ in range(draws_before):
            tf.random.normal((5,))
        images = data.to_float(garments[:16])
        losses.append([vae.train_on_batch(images, return_dict=True, reset_metrics=True)["loss"] for _ in range(2)])
    assert losses[0] == losses[1] and losses[0][0] != losses[0][1]


def test_a_calibrated_variance_must_begin_above_zero():
    _, decoder = networks.dense_vae_networks(width=16)
    with pytest.raises(ValueError, match="must be positive"):
        models.calibrated_gaussian_of(decoder, 0)


@pytest.mark.parametrize("number_type", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "build, shape, likelihood",
    [
        (networks.conv_vae_networks, (28, 28, 1), models.bernoulli_of),
        (networks.batchnorm_vae_networks, (28, 28, 1), lambda network: models.gaussian_of(network, 0.392)),
        (networks.avatar_vae_networks, (256, 256, 3), models.calibrated_gaussian_of),
    ],
)
def test_no_sum_of_gradients_depends_on_what_is_ready_first(build, shape, likelihood, number_type):
    """TensorFlow's sum of three or more begins with any of them, so the last digits would vary from run to run."""
    with precision.using(number_type):
        encoder, decoder = build()
    latent_dim = decoder.input_shape[-1]
    vae = models.VAE(models.posterior_of(encoder), likelihood(decoder), models.standard_normal(latent_dim))
    vae.compile(keras.optimizers.Adam())
    step = tf.function(vae.train_step).get_concrete_function(tf.TensorSpec((2, *shape)))
    sums = [len(operation.inputs) for operation in step.graph.get_operations() if operation.type == "AddN"]
    assert sums and max(sums) == 2


def test_the_training_step_is_recorded_once(garments):
    """A step that made Adam's memory would be recorded a second time, which takes seconds."""
    recordings = []

    class Counting(models.VAE):
        def negative_elbo(self, images, training=False, seed=None):
            recordings.append(training)
            return super().negative_elbo(images, training, seed)

    encoder, decoder = networks.dense_vae_networks(width=16)
    vae = Counting(models.posterior_of(encoder), models.gaussian_of(decoder, 0.1), models.standard_normal(2))
    vae.compile(keras.optimizers.Adam(jit_compile=False))
    vae.fit(data.to_float(garments[:64]), batch_size=32, epochs=2, verbose=0)
    assert recordings == [True]
