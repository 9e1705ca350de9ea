"""Systems 14 and 15 as published: networks, biases included, and training step, written afresh from specification."""

import tensorflow as tf

from course_utils import elbo

SYSTEM_14 = {
    "image": (28, 28, 1),
    "latent_dim": 2,
    "down": ((32, 1), (64, 2), (64, 2), (64, 1)),  # filters and strides
    "coarsest": (7, 7, 64),
    "up": ((64, 1), (64, 2), (32, 2)),
    "last_strides": 1,
}
SYSTEM_15 = {
    "image": (256, 256, 3),
    "latent_dim": 200,
    "down": ((32, 2), (64, 2), (64, 2), (64, 2), (64, 2)),
    "coarsest": (8, 8, 64),
    "up": ((64, 2), (64, 2), (64, 2), (32, 2)),
    "last_strides": 2,
}


def networks(kind, image, latent_dim, down, coarsest, up, last_strides):
    """Encoder, to means and log variances side by side, and decoder, to pixel means, under the Keras ``kind``."""
    layers = kind.layers

    def normalised(layer):
        return [layer, layers.BatchNormalization(momentum=0.9), layers.LeakyReLU(0.3)]

    encoder = [kind.Input(image)]
    for filters, strides in down:
        encoder += normalised(layers.Conv2D(filters, 3, strides, "same"))
    encoder += [layers.Flatten(), layers.Dense(2 * latent_dim)]

    height, width, channels = coarsest
    decoder = [kind.Input((latent_dim,)), layers.Dense(height * width * channels), layers.Reshape(coarsest)]
    for filters, strides in up:
        decoder += normalised(layers.Conv2DTranspose(filters, 3, strides, "same"))
    decoder.append(layers.Conv2DTranspose(image[-1], 3, last_strides, "same", activation="sigmoid"))
    return kind.Sequential(encoder), kind.Sequential(decoder)


def step(kind, encoder, decoder):
    """1000 x mean squared error + KL, two tapes, two updates: a function of a batch that returns the loss."""
    optimizers = [kind.optimizers.Adam(5e-4) for _ in range(2)]
    for optimizer, network in zip(optimizers, (encoder, decoder), strict=True):
        optimizer.build(network.trainable_variables)

    @tf.function
    def train_step(images):
        with tf.GradientTape() as first, tf.GradientTape() as second:
            mean, log_variance = tf.split(encoder(images, training=True), 2, axis=-1)
            z = mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))
            error = tf.reduce_mean((images - decoder(z, training=True)) ** 2, axis=[1, 2, 3])
            loss = tf.reduce_mean(1000 * error + elbo.kl_to_standard_normal(mean, log_variance))
        for optimizer, tape, network in zip(optimizers, (first, second), (encoder, decoder), strict=True):
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    return train_step
