"""Fitting a model. Lesson 05 writes the loop out once; from there on it is imported from here.

===============  =====================================================================
``fitting.py``   batches, learning rate, the fit itself, and snapshots along the way
``feeding.py``   arrays, stored images and datasets: what a training is fed with
``stopping.py``  a loss that is no number any more, and memory that does not suffice
===============  =====================================================================
"""

from course_utils.models import KLWarmup
from course_utils.training.fitting import Snapshots, adam, fit, warmup_cosine

__all__ = ["KLWarmup", "Snapshots", "adam", "fit", "warmup_cosine"]
