"""The VAE of the course: an encoder, a decoder and a prior, all of them TFP distributions. Lesson 05 builds it openly.

================  ======================================================================================
``parts.py``      layer stacks of ``networks`` as distributions, always in float32, and the prior N(0, I)
``vae.py``        ``VAE``: loss, training step, what it takes
``entry.py``      what ``fit`` and ``evaluate`` are given
``saving.py``     weight files, and ``export_decoder`` for other programs
``callbacks.py``  ``KLWarmup``, and which callbacks ``fit`` takes
================  ======================================================================================
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
