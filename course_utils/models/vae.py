"""The VAE itself: what it is made of, its loss, its training step, and the border where images enter."""

import inspect
import os

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

from course_utils import elbo, runtime
from course_utils.border import shapes
from course_utils.models import entry, saving
from course_utils.models.callbacks import check_callbacks

tfd = tfp.distributions
PARTS = ("encoder", "decoder", "prior")


class VAE(saving.WeightsOnly, keras.Model):
    """An encoder (images -> distribution over z), a decoder (z -> distribution over images) and a prior over z.

    ``compile(optimizer)`` and ``fit`` maximise the ELBO of ``elbo.terms``; ``loss`` is its negative, in nats per image,
    and ``reconstruction`` and ``kl`` are its two parts. Lesson 05 writes the training step out.

    Args:
        encoder: Keras model, images ``(batch, height, width, channels)`` to a distribution of event shape
            ``(latent_dim,)``.
        decoder: Keras model, codes to a distribution of event shape ``(height, width, channels)``.
        prior: distribution with the event shape of the encoder's, of batch shape ``()``. Variables in it are trained.
        beta: weight of the KL; anything but 1 is no longer the ELBO (Higgins et al. 2017). ``vae.beta = 2.0`` counts
            from the next step on, in a callback too; ``KLWarmup`` lets it climb.

    Keep one by ``save_weights("vae.weights.h5")``, and ``load_weights`` into a VAE that is built alike. For other
    programs, ``models.export_decoder(vae, "decoder")`` writes a SavedModel, and with ``"decoder.tflite"`` that format.

    Raises:
        ValueError: for parts that do not fit each other, and a beta that is no number of 0 or more.
    """

    def __init__(self, encoder, decoder, prior: tfd.Distribution, beta: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        # Straight into the dictionary: of what is assigned, Keras makes a weight, or a part of every weight file.
        vars(self)["parts"] = shapes.check_parts(encoder, decoder, prior, "VAE")
        vars(self)["_weight"] = tf.Variable(
            1.0, trainable=False, name="beta", aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )
        self._track_trackable(self._weight, "beta")  # and so into checkpoints
        self.encoder, self.decoder, self.prior, self.beta = encoder, decoder, prior, beta
        self.trackers = [keras.metrics.Mean(name) for name in ("loss", "reconstruction", "kl")]

    def __setattr__(self, name, value):
        if name == "beta":
            type(self).beta.fset(self, value)
            return
        changed = name in PARTS and all(hasattr(self, part) for part in PARTS)
        if changed:
            parts = {part: getattr(self, part) for part in PARTS} | {name: value}
            vars(self)["parts"] = shapes.check_parts(**parts, where=f"VAE.{name}")
        super().__setattr__(name, value)
        if changed:  # what was traced holds the part of before
            for kind in ("train", "test", "predict"):
                if getattr(self, f"{kind}_function", None) is not None:
                    getattr(self, f"make_{kind}_function")(force=True)

    @property
    def beta(self) -> float:
        """The weight of the KL in the loss, now."""
        return float(self._weight.numpy()) if tf.executing_eagerly() else self._weight

    @beta.setter
    def beta(self, value: float):
        try:
            valid = 0 <= float(value) < float("inf")
        except (TypeError, ValueError):
            valid = False
        if not valid:
            raise ValueError(f"VAE: beta is {value!r}, and must be a number of 0 or more: the weight of the KL.")
        vars(self)["_beta"] = float(value)
        self._weight.assign(float(value))

    def weigh_kl(self, fraction: float) -> None:
        """Weigh the KL by a fraction of the beta that was set last; ``KLWarmup`` calls this before each step."""
        self._weight.assign(fraction * vars(self)["_beta"])

    @property
    def metrics(self):
        return self.trackers

    def call(self, images, training=None):
        """p(x|z) at one z drawn for each image."""
        return self.decoder(self.encoder(images, training=training).sample(), training=training)

    def sample(self, number: int) -> tfd.Distribution:
        """p(x|z) at ``number`` draws of z from the prior; look at its ``.mean()``."""
        return self.decoder(self.prior.sample(number), training=False)

    def negative_elbo(self, images, training: bool = False, seed=None):
        """``(loss, reconstruction, kl)`` of a batch, each a mean over its images in nats per image."""
        log_likelihood, kl = elbo.terms(self, images, training, seed)
        reconstruction, kl = -tf.reduce_mean(log_likelihood), tf.reduce_mean(kl)
        return reconstruction + self._weight * kl, reconstruction, kl

    def _track(self, losses):
        for tracker, value in zip(self.trackers, losses, strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}

    def _calibrate(self, images, reconstruction):
        """Move a calibrated variance towards this batch's mean squared error, read off the reconstruction term."""
        variance = getattr(self.decoder, "variance", None)
        if variance is not None:
            pixels = tf.cast(tf.reduce_prod(tf.shape(images)[1:]), tf.float32)
            error = variance * (2 * reconstruction / pixels - tf.math.log(2 * np.pi * variance))
            variance.assign(0.9 * variance + 0.1 * error)

    def train_step(self, images):
        images = entry.images_of(images)
        # The noise of a step depends on its number and on nothing before it, so that a resumed training draws the same.
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.stack([runtime.SEED + tf.cast(replica, tf.int32), tf.cast(self.optimizer.iterations, tf.int32)])
        with tf.GradientTape() as tape:
            losses = self.negative_elbo(images, training=True, seed=seed)
            # Optimizers add the gradients of all replicas up; the mean over the whole batch asks for this division.
            loss = losses[0] / tf.distribute.get_strategy().num_replicas_in_sync
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self._calibrate(images, losses[1])
        return self._track(losses)

    def test_step(self, images):
        return self._track(self.negative_elbo(entry.images_of(images), training=False))

    def compile(self, optimizer="rmsprop", **kwargs):
        """As in Keras; loss and metrics are the VAE's own."""
        for name in ("loss", "metrics", "loss_weights", "weighted_metrics"):
            if self._trains_as_here and kwargs.get(name):
                raise ValueError(f"compile: {name} has no effect, a VAE has a loss of its own. Leave it out.")
        super().compile(optimizer, **kwargs)

    def fit(self, *args, **kwargs):
        """As in Keras, after a look at images and callbacks; see ``shapes.check_model`` and ``models.callbacks``."""
        given = inspect.signature(keras.Model.fit).bind(self, *args, **kwargs).arguments
        given.pop("self")
        check_callbacks(given.get("callbacks"), self.optimizer)
        if not self._trains_as_here:
            return super().fit(**given)
        self._check(given, "fit")
        if (held_out := given.get("validation_data")) is not None:
            pair = isinstance(held_out, tuple) and len(held_out) == 2
            self._check({"x": held_out[0], "y": held_out[1]} if pair else {"x": held_out}, "fit, validation_data")
        if hasattr(self.optimizer, "build"):  # a first step that makes Adam's memory is traced twice
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)
        found = []
        if isinstance(given.get("x"), tf.data.Dataset) and self.distribute_strategy.num_replicas_in_sync == 1:
            given["x"] = entry.watched(given["x"], "fit", self.parts.binary, found)
        try:
            return super().fit(**given)
        except tf.errors.OpError:
            if found:
                raise ValueError(found[0]) from None
            raise

    def evaluate(self, *args, **kwargs):
        """As in Keras, after a look at the images. ``elbo.evaluate`` has the standard error too."""
        if not kwargs.get("_use_cached_eval_dataset"):  # set where fit looked at them already
            self._check(inspect.signature(keras.Model.evaluate).bind(self, *args, **kwargs).arguments, "evaluate")
        return super().evaluate(*args, **kwargs)

    def train_on_batch(self, x, y=None, *args, **kwargs):
        self._check({"x": x, "y": y}, "train_on_batch")
        return super().train_on_batch(x, y, *args, **kwargs)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        self._check({"x": x, "y": y}, "test_on_batch")
        return super().test_on_batch(x, y, *args, **kwargs)

    @property
    def _trains_as_here(self) -> bool:
        """False for subclasses with a training step of their own, which may take labels."""
        return type(self).train_step is VAE.train_step

    def _check(self, given: dict, where: str) -> None:
        if self._trains_as_here:
            entry.check_given(self, given, where)

    def save_weights(self, filepath: str | os.PathLike, overwrite: bool = True, save_format=None, options=None):
        """All weights, without the optimizer's state, in ``NAME.weights.h5``, whole or not at all; raises what
        ``saving.save_weights`` raises, and ``ValueError`` for a file that exists unless ``overwrite``."""
        if save_format not in (None, "h5") or options is not None:
            raise ValueError("save_weights: the format is HDF5, and it has no options. Leave both arguments out.")
        if not overwrite and os.path.exists(filepath):
            raise ValueError(f"save_weights: {filepath} exists. Name another, or leave out overwrite=False.")
        saving.save_weights(self, filepath)

    def load_weights(self, filepath: str | os.PathLike, **options) -> None:
        """Weights of a VAE that was built alike, all or none; raises what ``saving.load_weights`` raises."""
        if any(options.values()):
            raise ValueError(f"load_weights: {', '.join(options)} would load a part. A VAE takes all weights or none.")
        saving.load_weights(self, filepath)
