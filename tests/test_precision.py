"""precision: layers compute in what was asked for, weights and losses stay float32, and float16 scales its loss."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from course_utils import models, networks, precision, training


@pytest.mark.parametrize("choice", ["float32", "bfloat16", "float16"])
def test_networks_compute_in_the_type_asked_for_and_losses_are_float32(choice):
    with precision.using(choice) as name:
        encoder, decoder = networks.batchnorm_vae_networks()
    assert name == choice and keras.mixed_precision.global_policy().name == "float32"
    assert encoder.layers[0].compute_dtype == choice and encoder.layers[0].kernel.dtype == tf.float32
    vae = models.VAE(models.posterior_of(encoder), models.calibrated_gaussian_of(decoder), models.standard_normal(2))
    images = np.random.default_rng(0).integers(0, 256, (16, 28, 28, 1), dtype=np.uint8)
    history = training.fit(vae, images, epochs=2, peak_rate=1e-3, batch_size=8)
    assert np.all(np.isfinite(history["loss"]))
    assert all(loss.dtype == tf.float32 for loss in vae.negative_elbo(tf.zeros((8, 28, 28, 1)), training=True))
    assert isinstance(vae.optimizer, keras.mixed_precision.LossScaleOptimizer) == (choice == "float16")


def test_auto_takes_the_type_that_was_measured_to_be_fastest(monkeypatch):
    monkeypatch.setattr(precision, "fastest", lambda: "bfloat16")
    with precision.using("auto") as name:
        assert name == "bfloat16" == keras.layers.Dense(1).compute_dtype


def test_the_measurement_returns_a_type_of_this_machine():
    assert precision.fastest() in ("float32", "bfloat16", "float16")


def test_without_bfloat16_hardware_and_gpu_there_is_nothing_to_measure(monkeypatch):
    monkeypatch.setattr(precision.runtime, "has_bfloat16", lambda: False)
    monkeypatch.setattr(precision.runtime, "gpus", lambda: [])
    assert precision.fastest() == "float32"


def test_another_type_is_refused_and_the_policy_survives_an_error():
    with pytest.raises(ValueError, match="'half' is none of"), precision.using("half"):
        pass
    with pytest.raises(RuntimeError), precision.using("bfloat16"):
        raise RuntimeError
    assert keras.mixed_precision.global_policy().name == "float32"
