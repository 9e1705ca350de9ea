"""The VAE of the course: an encoder, a decoder and a prior, all of them TFP distributions. Lesson 05 builds it openly.

``parts``      layer stacks of ``networks`` as distributions, always in float32: ``posterior_of``, ``bernoulli_of``,
               ``gaussian_of``, ``calibrated_gaussian_of``, and the prior ``standard_normal``
``vae``        ``VAE``: loss, training step, what it takes
``entry``      what ``fit`` and ``evaluate`` are given
``saving``     weight files, and ``export_decoder`` for other programs
``callbacks``  ``KLWarmup``, and which callbacks ``fit`` takes
"""

from course_utils.models.callbacks import KLWarmup
from course_utils.models.parts import bernoulli_of, calibrated_gaussian_of, gaussian_of, posterior_of, standard_normal
from course_utils.models.saving import export_decoder
from course_utils.models.vae import VAE

__all__ = [
    "VAE",
    "KLWarmup",
    "bernoulli_of",
    "calibrated_gaussian_of",
    "export_decoder",
    "gaussian_of",
    "posterior_of",
    "standard_normal",
]
