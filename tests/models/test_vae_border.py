"""models: parts that do not fit, images, labels and callbacks without effect are told before anything runs."""

import keras as keras_3
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras
import tiny_vae as tiny

from course_utils import data, elbo, models, training

tfd, tfpl = tfp.distributions, tfp.layers


def layered(network, function):
    return keras.Sequential([network, tfpl.DistributionLambda(function)])


def parts(**changes):
    encoder, decoder = tiny.networks()
    fitting = {
        "encoder": models.posterior_of(encoder),
        "decoder": models.bernoulli_of(decoder),
        "prior": models.standard_normal(2),
    }
    return fitting | {name: make(encoder, decoder) for name, make in changes.items()}


FIT = {
    "as in the course": {},
    "a layer of TFP": {
        "decoder": lambda e, d: keras.Sequential([d, keras.layers.Flatten(), tfpl.IndependentBernoulli(tiny.SHAPE)])
    },
    "Independent": {"encoder": lambda e, d: layered(e, lambda t: tfd.Independent(tfd.Normal(t[:, :2], 1.0), 1))},
    "functions": {
        "encoder": lambda e, d: lambda x, training=None: tfd.MultivariateNormalDiag(e(x)[:, :2], tf.ones(2)),
        "decoder": lambda e, d: lambda z, training=None: tfd.Independent(tfd.Normal(d(z), 1.0), 3),
    },
}
MISFIT = {
    "latent sizes": ({"prior": lambda e, d: models.standard_normal(3)}, r"\(2,\), those of the prior \(3,\)"),
    "decoder's latent size": (
        {"decoder": lambda e, d: models.bernoulli_of(tiny.networks(5)[1])},
        r"takes codes of shape \(5,\), the prior and the encoder have \(2,\)",
    ),
    "image sizes": (
        {"decoder": lambda e, d: models.bernoulli_of(tiny.networks(shape=(4, 4, 3))[1])},
        r"takes images of shape \(4, 4, 1\), the decoder's have \(4, 4, 3\)",
    ),
    "pixels in a row": (
        {"decoder": lambda e, d: layered(d, lambda p: tfd.Independent(tfd.Normal(tf.reshape(p, (-1, 16)), 1.0), 1))},
        r"the decoder's have \(16,\).*Reshape\(\(4, 4, 1\)\)",
    ),
    "encoder without a distribution": ({"encoder": lambda e, d: e}, "encoder returns a tensor.*models.posterior_of"),
    "decoder without a distribution": ({"decoder": lambda e, d: d}, "decoder returns a tensor.*models.bernoulli_of"),
    "encoder without Independent": (
        {"encoder": lambda e, d: layered(e, lambda t: tfd.Normal(t[:, :2], 1.0))},
        r"encoder's distribution has batch shape \(any, 2\).*tfd.Independent\(distribution, 1\)",
    ),
    "decoder without Independent": (
        {"decoder": lambda e, d: layered(d, lambda logits: tfd.Bernoulli(logits=logits))},
        r"decoder's distribution has batch shape \(any, 4, 4, 1\).*tfd.Independent\(distribution, 3\)",
    ),
    "prior of two": ({"prior": lambda e, d: tfd.Normal(tf.zeros(2), 1.0)}, r"prior has batch shape \(2,\)"),
    "no prior": ({"prior": lambda e, d: None}, "prior is NoneType"),
    "a tensor for a prior": ({"prior": lambda e, d: tf.zeros(2)}, "must be a distribution of TFP"),
    "float64": (
        {"prior": lambda e, d: tfd.MultivariateNormalDiag(np.zeros(2), np.ones(2))},
        "prior is of type float64",
    ),
}


@pytest.mark.parametrize("name", FIT)
def test_parts_that_fit_make_a_vae_and_can_be_evaluated(name):
    vae = models.VAE(**parts(**FIT[name]))
    assert np.isfinite(elbo.evaluate(vae, data.binarise(tiny.images()))["negative_elbo"])


@pytest.mark.parametrize("name", MISFIT)
def test_parts_that_do_not_fit_are_refused_when_the_vae_is_built(name):
    changes, message = MISFIT[name]
    with pytest.raises(ValueError, match=f"^VAE: .*{message}"):
        models.VAE(**parts(**changes))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: keras_3.Sequential([keras_3.Input((4,)), keras_3.layers.Dense(4)]), "Sequential of Keras 3.*tf_keras"),
        (lambda: keras.Sequential, r"the class Sequential.*Sequential\(\.\.\.\)"),
        (lambda: [keras.layers.Dense(4)], r"is list.*keras\.Sequential\(layers\)"),
        (lambda: tiny.networks, "is function.*is called first"),
        (lambda: None, "NoneType"),
    ],
)
def test_parts_are_made_of_networks_of_the_courses_keras(network, message):
    for part in (models.posterior_of, models.bernoulli_of, models.calibrated_gaussian_of):
        with pytest.raises(ValueError, match=f"^{part.__name__}: .*{message}"):
            part(network())
    with pytest.raises(ValueError, match=f"^gaussian_of: .*{message}"):
        models.gaussian_of(network(), 0.01)


@pytest.mark.parametrize("variance", ["0.01", None, 0, -1.0, float("nan"), np.ones(3)])
def test_a_variance_is_one_positive_number(variance):
    for part in (models.gaussian_of, models.calibrated_gaussian_of):
        with pytest.raises(ValueError, match=f"^{part.__name__}: .*must be positive, and one number"):
            part(tiny.networks()[1], variance)


def test_networks_that_say_no_shape_are_compared_when_images_come():
    encoder = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4)])
    vae = models.VAE(**parts(encoder=lambda e, d: models.posterior_of(encoder)))
    with pytest.raises(
        ValueError, match=r"^evaluate: the encoder takes images of shape \(4, 4, 3\), the decoder's have"
    ):
        elbo.evaluate(vae, np.zeros((5, 4, 4, 3), np.float32))


def test_looking_at_the_parts_draws_no_random_number():
    tf.random.set_seed(1)
    expected = tf.random.normal(())
    encoder, decoder = tiny.networks()
    tf.random.set_seed(1)
    models.VAE(models.posterior_of(encoder), models.bernoulli_of(decoder), models.standard_normal(2))
    assert tf.random.normal(()) == expected


WAYS = {
    "fit": lambda vae, images: vae.fit(images, verbose=0),
    "evaluate": lambda vae, images: vae.evaluate(images, verbose=0),
    "train_on_batch": lambda vae, images: vae.train_on_batch(images),
    "test_on_batch": lambda vae, images: vae.test_on_batch(images),
    "elbo.evaluate": elbo.evaluate,
}


@pytest.fixture(scope="module")
def vae():
    return tiny.vae()


@pytest.mark.parametrize("way", WAYS)
def test_images_are_looked_at_on_each_way_in(way, vae):
    good = tiny.images()
    for images in (good, good.astype(np.float64), good > 0.5):
        WAYS[way](vae, images)
    for images, message in [
        (good[..., 0], "channel axis is missing"),
        (np.concatenate([good] * 3, axis=-1), "channels differ"),
        ((255 * good).astype(np.uint8), "type uint8"),
        (255 * good, r"must lie in \[0, 1\]"),
        (good * np.nan, "NaN"),
        (list(good), "np.stack"),
        (good[:0], "no images"),
    ]:
        with pytest.raises(ValueError, match=message):
            WAYS[way](vae, images)


def test_a_bernoulli_takes_binary_pixels_only():
    vae, grey = tiny.vae(models.bernoulli_of), tiny.images()
    with pytest.raises(ValueError, match=r"^evaluate: grey pixels.*data\.binarise"):
        elbo.evaluate(vae, grey)
    with pytest.raises(ValueError, match=r"^fit: grey pixels.*data\.binarise"):
        vae.fit(grey, verbose=0)
    pixels = (255 * grey).astype(np.uint8)
    with pytest.raises(ValueError, match="^fit: grey pixels.*transform='binarise'"):
        training.fit(vae, pixels, epochs=1, peak_rate=1e-3, batch_size=8)
    training.fit(vae, pixels, epochs=1, peak_rate=1e-3, batch_size=8, transform="binarise")
    assert np.isfinite(elbo.evaluate(vae, data.binarise(grey))["kl"])


def test_training_takes_stored_pixels_of_the_shape_that_the_model_has(vae):
    with pytest.raises(ValueError, match=r"^fit: .*channel axis"):
        training.fit(vae, np.zeros((16, 4, 4), np.uint8), epochs=1, peak_rate=1e-3, batch_size=8)
    with pytest.raises(ValueError, match=r"^fit, validation: .*Height and width differ"):
        images = np.zeros((16, *tiny.SHAPE), np.uint8)
        training.fit(vae, images, epochs=1, peak_rate=1e-3, batch_size=8, validation=np.zeros((9, 5, 4, 1), np.uint8))


def test_the_encoder_refuses_bytes_and_takes_what_is_near_an_image(vae):
    noisy = tiny.images() + np.float32(0.1)
    assert vae.encoder(noisy).mean().shape == (16, 2)
    for images in ((255 * noisy).astype(np.uint8), 255 * noisy, tf.constant(255 * noisy)):
        with pytest.raises(ValueError, match="^encoder: "):
            vae.encoder(images)
    with pytest.raises(ValueError, match="uint8"):
        vae.negative_elbo((255 * noisy).astype(np.uint8))


def dataset(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0])


def test_datasets_are_looked_at_before_and_while_they_are_read(vae):
    good = tiny.images()
    vae.fit(dataset(good).batch(8), validation_data=dataset(good).batch(8), verbose=0)
    vae.fit(dataset(good.astype(np.float64)).batch(8), verbose=0)
    spoilt = good.copy()
    spoilt[12] *= 255
    for wrong, message in [
        (dataset(good), r"Use dataset\.batch\(128\)"),
        (dataset((255 * good).astype(np.uint8)).batch(8), "type uint8"),
        (dataset(good[..., 0]).batch(8), "channel axis"),
        (dataset(spoilt).batch(8), r"must lie in \[0, 1\]"),
        (dataset(good, np.arange(16)).batch(8), "labels.*no effect"),
    ]:
        with pytest.raises(ValueError, match=f"^fit: .*{message}"):
            vae.fit(wrong, verbose=0)


def test_labels_and_weights_are_not_dropped_without_a_word(vae):
    good, labels = tiny.images(), np.arange(16)
    for options in ({"y": labels}, {"sample_weight": np.ones(16)}, {"class_weight": {0: 2.0}}):
        with pytest.raises(ValueError, match=f"^fit: {next(iter(options))} has no effect"):
            vae.fit(good, verbose=0, **options)
    with pytest.raises(ValueError, match="validation_data: y has no effect"):
        vae.fit(good, validation_data=(good, labels), verbose=0)
    with pytest.raises(ValueError, match="^compile: loss has no effect"):
        vae.compile("adam", loss="mse")


def test_a_subclass_with_a_training_step_of_its_own_gets_its_labels():
    class Conditional(models.VAE):
        def train_step(self, batch):
            images, labels = batch
            return {"labels": tf.reduce_sum(labels), "loss": self.negative_elbo(images)[0]}

    history = tiny.vae(kind=Conditional).fit(tiny.images(), np.arange(16), batch_size=16, verbose=0).history
    assert history["labels"] == [120]


def test_callbacks_that_cannot_work_are_refused(vae):
    vae.compile(keras.optimizers.Adam(1e-3))
    good, pixels = tiny.images(), (255 * tiny.images()).astype(np.uint8)
    for callback, message in [
        (keras_3.callbacks.EarlyStopping(), "EarlyStopping is a callback of Keras 3.*import tf_keras as keras"),
        (keras.callbacks.TerminateOnNaN, r"Call it: TerminateOnNaN\(\.\.\.\)"),
        (print, "is no callback"),
    ]:
        with pytest.raises(ValueError, match=f"^fit: .*{message}"):
            vae.fit(good, callbacks=[callback], verbose=0)
    plateau = keras.callbacks.LearningRateScheduler(lambda epoch: 1e-4)
    with pytest.raises(ValueError, match="LearningRateScheduler cannot set a learning rate that follows a schedule"):
        training.fit(vae, pixels, epochs=1, peak_rate=1e-3, batch_size=8, callbacks=[plateau])
    vae.compile(keras.optimizers.Adam(1e-3))  # what the message advises
    vae.fit(data.batches(pixels, 8, seed=1), epochs=1, callbacks=[plateau], verbose=0)
    assert float(vae.optimizer.learning_rate) == pytest.approx(1e-4)


def test_evaluate_needs_a_draw_and_a_batch(vae):
    for options in ({"samples": 0}, {"batch_size": 0}):
        with pytest.raises(ValueError, match="must be 1 or more"):
            elbo.evaluate(vae, tiny.images(), **options)
