"""models: beta, prior and variance have an effect when they are set, traced or not; the KL can be warmed up."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras
import tiny_vae as tiny

from course_utils import models, training

tfd = tfp.distributions


def mixture():
    means = tf.Variable(tf.random.stateless_normal((3, 2), [1, 2]), name="means")
    logits = tf.Variable(tf.zeros(3), name="logits")
    return tfd.MixtureSameFamily(tfd.Categorical(logits=logits), tfd.MultivariateNormalDiag(means, tf.ones((3, 2))))


class Watch(keras.callbacks.Callback):
    """Note beta and the weight that the loss gave to the KL, after every batch."""

    def __init__(self, act=lambda model, step: None):
        super().__init__()
        self.act, self.betas, self.weights = act, [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.act(self.model, batch)
        self.model.reset_metrics()

    def on_train_batch_end(self, batch, logs=None):
        self.betas.append(self.model.beta)
        self.weights.append((logs["loss"] - logs["reconstruction"]) / logs["kl"])


def test_beta_set_in_a_callback_counts_from_that_step_on():
    vae = tiny.vae()
    watch = Watch(lambda model, batch: setattr(model, "beta", 10.0 * batch))
    vae.fit(tiny.images(), batch_size=4, verbose=0, callbacks=[watch])
    assert watch.betas == [0, 10, 20, 30]
    np.testing.assert_allclose(watch.weights, watch.betas, atol=0.05)


@pytest.mark.parametrize("beta", [-1, float("nan"), float("inf"), "much", None, [1.0, 2.0]])
def test_beta_is_a_number_of_zero_or_more(beta):
    with pytest.raises(ValueError, match="VAE: beta is"):
        tiny.vae(beta=beta)
    vae = tiny.vae(beta=np.float32(2))
    with pytest.raises(ValueError, match="VAE: beta is"):
        vae.beta = beta
    assert vae.beta == 2.0


def test_beta_is_no_weight_but_checkpoints_hold_it(tmp_path):
    vae, other = tiny.vae(), tiny.vae()
    assert not any("beta" in weight.name for weight in vae.weights)
    vae.beta = 0.25
    path = tf.train.Checkpoint(model=vae).write(str(tmp_path / "state"))
    tf.train.Checkpoint(model=other).read(path).assert_existing_objects_matched()
    assert other.beta == 0.25


@pytest.mark.parametrize("length", [{"epochs": 2}, {"steps": 8}])
def test_the_kl_is_warmed_up_in_a_straight_line_to_beta(length):
    vae, watch = tiny.vae(beta=2.0), Watch()
    warmup = models.KLWarmup(**length, start=0.5)
    vae.fit(tiny.images(), batch_size=4, epochs=3, verbose=0, callbacks=[warmup, watch])
    expected = [*np.linspace(1.0, 2.0, 9)[:8], *[2.0] * 4]
    np.testing.assert_allclose(watch.betas, expected, rtol=1e-6)
    np.testing.assert_allclose(watch.weights, expected, rtol=0.05)


def test_a_resumed_training_goes_on_at_the_right_weight_of_the_kl(tmp_path):
    pixels = (255 * tiny.images()).astype(np.uint8)

    def fit(callbacks):
        vae, watch = tiny.vae(), Watch()
        callbacks = [training.KLWarmup(2), watch, *callbacks]
        options = {"epochs": 3, "peak_rate": 1e-3, "batch_size": 4, "checkpoint_every": 1}
        training.fit(vae, pixels, callbacks=callbacks, checkpoints=tmp_path, **options)
        return watch.betas

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations.numpy()) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit([Stop()])
    # What a callback remembers is kept too: in the end it has seen every step once.
    np.testing.assert_allclose(fit([]), [*np.arange(8) / 8, *[1.0] * 4])


def test_a_warmup_that_cannot_work_is_refused():
    for options in ({}, {"epochs": 2, "steps": 3}, {"epochs": 0}, {"steps": 2, "start": 2.0}):
        with pytest.raises(ValueError, match="^KLWarmup: "):
            models.KLWarmup(**options)
    other = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    other.compile("sgd", "mse")
    with pytest.raises(ValueError, match="Sequential is no models.VAE"):
        other.fit(np.zeros((4, 1)), np.zeros((4, 1)), callbacks=[models.KLWarmup(1)], verbose=0)


def test_another_prior_counts_at_once_and_must_fit():
    vae, images = tiny.vae(), tiny.images()
    kl = [vae.evaluate(images, verbose=0, return_dict=True)["kl"]]
    vae.fit(images, verbose=0)
    vae.prior = tfd.MultivariateNormalDiag(tf.fill(2, 50.0), tf.ones(2))
    kl.append(vae.evaluate(images, verbose=0, return_dict=True)["kl"])
    assert kl[1] > 1000 > kl[0]
    assert vae.fit(images, verbose=0).history["kl"][0] > 1000
    with pytest.raises(ValueError, match="^VAE.prior: .*those of the prior"):
        vae.prior = models.standard_normal(3)
    assert vae.prior.event_shape == (2,)


def test_the_variance_of_a_decoder_can_be_set_where_it_is_a_variable():
    vae, images = tiny.vae(), tiny.images()
    vae.fit(images, verbose=0)
    vae.decoder.variance = 4.0
    assert float(vae.decoder(tf.zeros((1, 2))).stddev()[0, 0, 0, 0]) == 2.0
    with pytest.raises(ValueError, match="must be positive"):
        vae.decoder.variance = -1.0
    fixed = tiny.vae(lambda network: models.gaussian_of(network, 0.1))
    with pytest.raises(AttributeError, match="variance of this decoder is fixed"):
        fixed.decoder.variance = 4.0


def test_the_variables_of_a_prior_are_trained_and_saved(tmp_path):
    vae = tiny.vae(prior=mixture())
    before = [variable.numpy() for variable in vae.prior.trainable_variables]
    vae.fit(tiny.images(), batch_size=4, epochs=2, verbose=0)
    after = [variable.numpy() for variable in vae.prior.trainable_variables]
    assert len(before) == 2 and all(np.abs(a - b).max() > 1e-3 for a, b in zip(after, before, strict=True))

    restored = [tiny.vae(prior=mixture()) for _ in range(2)]
    vae.save_weights(tmp_path / "vae.weights.h5")
    restored[0].load_weights(tmp_path / "vae.weights.h5")
    path = tf.train.Checkpoint(model=vae).write(str(tmp_path / "state"))
    tf.train.Checkpoint(model=restored[1]).read(path).assert_existing_objects_matched()
    for other in restored:
        for expected, variable in zip(after, other.prior.trainable_variables, strict=True):
            np.testing.assert_array_equal(expected, variable)
    with pytest.raises(ValueError, match="does not fit this VAE"):
        tiny.vae().load_weights(tmp_path / "vae.weights.h5")
