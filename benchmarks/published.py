"""The networks of systems 14 and 15 as published, written afresh from their specification, biases included."""

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
