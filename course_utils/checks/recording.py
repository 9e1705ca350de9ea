"""Distributions that remember what was asked of them, so that an estimate can be compared with its own draws."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


def recorded(distribution: tfd.Distribution, see: Callable) -> tfd.Distribution:
    """The distribution itself; ``see(value, log_prob)`` gets what ``log_prob`` and ``prob`` are asked, and the answer.

    Its class becomes one made for it, so that TFP still finds its KL, and ``isinstance`` holds.
    """
    base = type(distribution)

    def show(value, log_prob) -> None:
        if tf.is_symbolic_tensor(log_prob):  # inside tf.vectorized_map, say: wait for the numbers
            tf.py_function(lambda *pair: see(*(part.numpy() for part in pair)), [value, log_prob], [])
        else:
            see(np.asarray(value), np.asarray(log_prob))

    def log_prob(self, value, *args, **kwargs):
        result = base.log_prob(self, value, *args, **kwargs)
        show(value, result)
        return result

    def prob(self, value, *args, **kwargs):
        show(value, base.log_prob(self, value))
        return base.prob(self, value, *args, **kwargs)

    distribution.__class__ = type(base)(base.__name__, (base,), {"log_prob": log_prob, "prob": prob})
    return distribution
