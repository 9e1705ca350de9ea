"""The layer stacks of the course: numbers in, numbers out, no distribution yet.

Everything here builds under tf_keras and under Keras 3 alike. ``models`` puts distributions on top. The systems
that the course starts from are numbered, here and in ``benchmarks/``; CONTRIBUTING.md has the list.
"""

import numpy as np
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


def conv_vae_networks(latent_dim: int = 2, channels: int = 1):
    """System 9, taught in lesson 05, which has 1 channel.

    Returns:
        ``(encoder, decoder)``: images ``(batch, 28, 28, channels)`` to means and log variances
        ``(batch, 2 * latent_dim)``, and codes ``(batch, latent_dim)`` to logits ``(batch, 28, 28, channels)``.
    """
    layers = keras.layers
    encoder = keras.Sequential(
        [
            keras.Input((28, 28, channels)),
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
            layers.Conv2DTranspose(channels, 3, 1, "same", dtype="float32"),
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
    return _halving_networks((256, 256, 3), latent_dim, outputs)


def image_vae_networks(shape: tuple[int, int, int], latent_dim: int):
    """Networks for square images of any size from 28 to 256, grey or in colour, as ``data.load_folder`` returns them.

    At 28x28 they are the layers of system 9 (lesson 05), with a sigmoid behind the last one, so that all decoders here
    return pixel means. Larger images get the family of system 15 (lesson 06), which they are at 256x256x3: the encoder
    halves the sides until at most 8 pixels are left, and the decoder goes back along the same sides, odd ones too.

    Args:
        shape: of one image, ``(size, size, channels)``.

    Returns:
        ``(encoder, decoder)``: images ``(batch, size, size, channels)`` to means and log variances
        ``(batch, 2 * latent_dim)``, and codes ``(batch, latent_dim)`` to pixel means in [0, 1].

    Raises:
        ValueError: for another shape.
    """
    shape = tuple(shape)
    whole = all(isinstance(side, int | np.integer) for side in shape)
    if not whole or len(shape) != 3 or shape[0] != shape[1] or not 28 <= shape[0] <= 256 or shape[2] not in (1, 3):
        raise ValueError(
            f"image_vae_networks takes the shape of one image, (size, size, channels), with a size from 28 to 256 and "
            f"1 or 3 channels, not {shape}. data.load_folder crops or pads images to such a shape."
        )
    if shape[0] > 28:
        return _halving_networks(shape, latent_dim, outputs=2)
    encoder, decoder = conv_vae_networks(latent_dim, shape[2])
    decoder.add(keras.layers.Activation("sigmoid", dtype="float32"))
    return encoder, decoder


def _halving_networks(shape: tuple[int, int, int], latent_dim: int, outputs: int):
    """The family of system 15: sides halved, and rounded up, until at most 8 pixels are left."""
    layers = keras.layers
    synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    sides = [shape[0]]
    while sides[-1] > 8:
        sides.append((sides[-1] + 1) // 2)
    filters = [32, *[64] * (len(sides) - 2)]
    encoder = keras.Sequential([keras.Input(shape)], name="encoder")
    for number in filters:
        encoder.add(layers.Conv2D(number, 3, 2, "same", use_bias=False))
        encoder.add(layers.BatchNormalization(momentum=0.9, synchronized=synchronized))
        encoder.add(layers.LeakyReLU(0.3))
    encoder.add(layers.Flatten())
    encoder.add(layers.Dense(outputs * latent_dim, dtype="float32"))

    # Doubled, a side is even; without output padding it is one less, which is how the encoder came to round up.
    padding = [0 if side % 2 else None for side in reversed(sides[:-1])]
    decoder = keras.Sequential([keras.Input((latent_dim,))], name="decoder")
    decoder.add(layers.Dense(sides[-1] ** 2 * 64))
    decoder.add(layers.Reshape((sides[-1], sides[-1], 64)))
    for number, odd in zip(reversed(filters[:-1]), padding[:-1], strict=True):
        decoder.add(layers.Conv2DTranspose(number, 3, 2, "same", output_padding=odd, use_bias=False))
        decoder.add(layers.BatchNormalization(momentum=0.9, synchronized=synchronized))
        decoder.add(layers.LeakyReLU(0.3))
    decoder.add(layers.Conv2DTranspose(shape[2], 3, 2, "same", output_padding=padding[-1]))
    decoder.add(layers.Activation("sigmoid", dtype="float32"))
    return encoder, decoder
