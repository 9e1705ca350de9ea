"""The layer stacks of the course: numbers in, numbers out, no distribution yet.

Everything here builds under tf_keras and under Keras 3 alike. ``models`` puts distributions on top. The systems
that the course starts from are numbered, here and in ``benchmarks/``; CONTRIBUTING.md has the list.
"""

import tensorflow as tf
import tf_keras as keras


def dense_autoencoder_networks(latent_dim: int = 2, activation: str = "sigmoid"):
    """System 1, taught in lesson 01: 784, 256, 64, latent, 64, 256, 784.

    Args:
        activation: of the code layer; the published one is ``"sigmoid"``. All others are sigmoid.

    Returns:
        ``(encoder, decoder)``: images ``(batch, 28, 28, 1)`` to codes ``(batch, latent_dim)``, and back to [0, 1].
    """
    layers = keras.layers
    encoder = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Flatten(),
            layers.Dense(256, activation="sigmoid"),
            layers.Dense(64, activation="sigmoid"),
            layers.Dense(latent_dim, activation=activation),
        ],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(64, activation="sigmoid"),
            layers.Dense(256, activation="sigmoid"),
            layers.Dense(784, activation="sigmoid"),
            layers.Reshape((28, 28, 1)),
        ],
        name="decoder",
    )
    return encoder, decoder


def conv_autoencoder_networks(latent_dim: int = 8):
    """System 2, taught in lesson 01: three convolutions of 64 filters down, three transposed ones up, with dropout.

    Returns:
        ``(encoder, decoder)``: images ``(batch, 28, 28, 1)`` to codes ``(batch, latent_dim)``, and back to [0, 1].
    """
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((28, 28, 1))], name="encoder")
    for strides in (2, 2, 1):
        encoder.add(layers.Conv2D(64, 4, strides, "same"))
        encoder.add(layers.LeakyReLU(0.3))
        encoder.add(layers.Dropout(0.2))  # a keep probability of 0.8
    encoder.add(layers.Flatten())
    encoder.add(layers.Dense(latent_dim))

    decoder = keras.Sequential([keras.Input((latent_dim,))], name="decoder")
    decoder.add(layers.Dense(latent_dim))
    decoder.add(layers.LeakyReLU(0.3))
    decoder.add(layers.Dense(49))
    decoder.add(layers.LeakyReLU(0.3))
    decoder.add(layers.Reshape((7, 7, 1)))
    for strides in (2, 1, 1):
        decoder.add(layers.Conv2DTranspose(64, 4, strides, "same", activation="relu"))
        decoder.add(layers.Dropout(0.2))
    decoder.add(layers.Flatten())
    decoder.add(layers.Dense(784, activation="sigmoid"))
    decoder.add(layers.Reshape((28, 28, 1)))
    return encoder, decoder


def conv_vae_networks(latent_dim: int = 2):
    """System 9, taught in lesson 05.

    Returns:
        ``(encoder, decoder)``: images ``(batch, 28, 28, 1)`` to means and log variances ``(batch, 2 * latent_dim)``,
        and codes ``(batch, latent_dim)`` to logits ``(batch, 28, 28, 1)``.
    """
    layers = keras.layers
    encoder = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, 2, activation="relu"),
            layers.Conv2D(64, 3, 2, activation="relu"),
            layers.Flatten(),
            layers.Dense(2 * latent_dim, dtype="float32"),
        ],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(7 * 7 * 32, activation="relu"),
            layers.Reshape((7, 7, 32)),
            layers.Conv2DTranspose(64, 3, 2, "same", activation="relu"),
            layers.Conv2DTranspose(32, 3, 2, "same", activation="relu"),
            layers.Conv2DTranspose(1, 3, 1, "same", dtype="float32"),
        ],
        name="decoder",
    )
    return encoder, decoder


def dense_vae_networks(latent_dim: int = 2, width: int = 512):
    """Fully connected networks with the interface of ``conv_vae_networks``; lesson 05 writes them out and compares."""
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten()], name="encoder")
    decoder = keras.Sequential([keras.Input((latent_dim,))], name="decoder")
    for _ in range(2):
        encoder.add(layers.Dense(width, activation="relu"))
    for _ in range(3):
        decoder.add(layers.Dense(width, activation="relu"))
    encoder.add(layers.Dense(2 * latent_dim, dtype="float32"))
    decoder.add(layers.Dense(784, dtype="float32"))
    decoder.add(layers.Reshape((28, 28, 1), dtype="float32"))
    return encoder, decoder


def batchnorm_vae_networks(latent_dim: int = 2, outputs: int = 2):
    """System 14, taught in lesson 05; without the biases that batch normalisation subtracts again.

    Args:
        outputs: vectors of length ``latent_dim`` that the encoder returns side by side: 2 for the mean and the log
            variance of a VAE, 1 for the code of the autoencoder that lesson 05 compares it with.

    Returns:
        ``(encoder, decoder)``: images ``(batch, 28, 28, 1)`` to ``(batch, outputs * latent_dim)``, and codes to pixel
        means in [0, 1].
    """
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((28, 28, 1))], name="encoder")
    for filters, strides in ((32, 1), (64, 2), (64, 2), (64, 1)):
        encoder.add(layers.Conv2D(filters, 3, strides, "same", use_bias=False))
        encoder.add(layers.BatchNormalization(momentum=0.9))
        encoder.add(layers.LeakyReLU(0.3))
    encoder.add(layers.Flatten())
    encoder.add(layers.Dense(outputs * latent_dim, dtype="float32"))

    decoder = keras.Sequential([keras.Input((latent_dim,))], name="decoder")
    decoder.add(layers.Dense(7 * 7 * 64))
    decoder.add(layers.Reshape((7, 7, 64)))
    for filters, strides in ((64, 1), (64, 2), (32, 2)):
        decoder.add(layers.Conv2DTranspose(filters, 3, strides, "same", use_bias=False))
        decoder.add(layers.BatchNormalization(momentum=0.9))
        decoder.add(layers.LeakyReLU(0.3))
    decoder.add(layers.Conv2DTranspose(1, 3, 1, "same"))
    decoder.add(layers.Activation("sigmoid", dtype="float32"))
    return encoder, decoder


def avatar_vae_networks(latent_dim: int = 200, outputs: int = 2):
    """System 15, taught in lesson 06: 256x256 colour images.

    Without the biases that batch normalisation subtracts again: at the defaults 2,722,899 trainable parameters, where
    the published networks have 2,723,411.

    Args:
        outputs: vectors of length ``latent_dim`` that the encoder returns side by side, as in
            ``batchnorm_vae_networks``.

    Batch normalisation takes its statistics from the batches of all devices when the networks are built in the scope of
    a ``tf.distribute`` strategy with several.

    Returns:
        ``(encoder, decoder)``: images ``(batch, 256, 256, 3)`` to ``(batch, outputs * latent_dim)``, and codes to pixel
        means in [0, 1].
    """
    layers = keras.layers
    synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    encoder = keras.Sequential([keras.Input((256, 256, 3))], name="encoder")
    for filters in (32, 64, 64, 64, 64):
        encoder.add(layers.Conv2D(filters, 3, 2, "same", use_bias=False))
        encoder.add(layers.BatchNormalization(momentum=0.9, synchronized=synchronized))
        encoder.add(layers.LeakyReLU(0.3))
    encoder.add(layers.Flatten())
    encoder.add(layers.Dense(outputs * latent_dim, dtype="float32"))

    decoder = keras.Sequential([keras.Input((latent_dim,))], name="decoder")
    decoder.add(layers.Dense(8 * 8 * 64))
    decoder.add(layers.Reshape((8, 8, 64)))
    for filters in (64, 64, 64, 32):
        decoder.add(layers.Conv2DTranspose(filters, 3, 2, "same", use_bias=False))
        decoder.add(layers.BatchNormalization(momentum=0.9, synchronized=synchronized))
        decoder.add(layers.LeakyReLU(0.3))
    decoder.add(layers.Conv2DTranspose(3, 3, 2, "same"))
    decoder.add(layers.Activation("sigmoid", dtype="float32"))
    return encoder, decoder
