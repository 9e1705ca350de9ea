"""A VAE with the weights that come with the course, in one line."""

from course_utils import models, networks
from course_utils.pretrained import packing

NAMES = ("avatars", "plane", "digits")


def build(name: str) -> models.VAE:
    """The VAE that a set of weights belongs to, untrained."""
    if name == "avatars":
        encoder, decoder = networks.avatar_vae_networks(latent_dim := 200)
        likelihood = models.calibrated_gaussian_of(decoder)
    else:
        encoder, decoder = networks.conv_vae_networks(latent_dim := 2)
        likelihood = models.bernoulli_of(decoder)
    return models.VAE(models.posterior_of(encoder), likelihood, models.standard_normal(latent_dim))


def card(name: str) -> dict:
    """What there is to say of a set of weights: data, credit, licence, how trained, held-out figures, intended use.

    Raises:
        ValueError: for another name.
    """
    return packing.read_card(_known(name, "card"))


def load(name: str) -> models.VAE:
    """A trained VAE: weights that are part of the package, so that no network is needed.

    ``"avatars"`` is system 15 on Cartoon Set (lesson 06), ``"plane"`` system 9 on Fashion-MNIST binarised at 0.5
    (lesson 05), ``"digits"`` the same on MNIST (lesson 04). The prior is N(0, I), as in training. Within
    ``precision.using`` layers compute in the type chosen there.

    Raises:
        ValueError: for another name, and for files that are damaged.
        OSError: for files that are missing.
    """
    said = packing.read_card(_known(name, "load"))
    arrays = {part: packing.read(*said["files"][part]) for part in ("encoder", "decoder")}
    vae = build(name)
    vae.encoder.layers[0].set_weights(arrays["encoder"])
    vae.decoder.layers[0].set_weights(arrays["decoder"])
    if "variance" in said:
        vae.decoder.variance = said["variance"]
    return vae


def _known(name: str, where: str) -> str:
    if name not in NAMES:
        raise ValueError(f"pretrained.{where}: there are weights for {', '.join(NAMES)}, not for {name!r}.")
    return name
