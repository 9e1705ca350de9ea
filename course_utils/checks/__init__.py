"""The exercises' checks: each takes your function and prints what it makes of it.

``checks.psnr(my_function)`` prints a line that begins with "Right." or with "Not yet:". It returns None and never
raises. Your function is called on fresh random inputs, so an answer that fits one example does not pass. The usual
mistakes are recognised by the answers that they give. Unless a docstring says otherwise, arrays come as TensorFlow
tensors of float32, and your function may return a tensor or a NumPy array.

The exercises of lesson NN are in ``lesson_NN.py``, in the order of the lesson: what each function gets and returns, the
right answer, and the mistakes that its check knows by name.

=================  =========================================================================
``lesson_01.py``   ``psnr``, ``denoising_pair``, ``uniform_codes``
``lesson_02.py``   ``kl_normals``, ``monte_carlo_kl``, ``kl_to_standard_normal``
``lesson_03.py``   ``reparameterize``, ``log_normal_density``, ``score_gradient``
``lesson_04.py``   ``binarise``, ``negative_elbo``, ``kl_factor``
``lesson_05.py``   ``log_likelihood``, ``prior_grid``, ``interpolate``
``lesson_06.py``   ``fitted_covariance``, ``attribute_direction``
``lesson_07.py``   ``importance_weighted``, ``free_bits``
``lesson_a1.py``   ``log_det_jacobian``, of appendix A1
``judging.py``     ``exercise``: from a function to one printed line, within a time limit
``calling.py``     calling it safely, reading arrays and shapes
``values.py``      one right value: its terms, and what stands in place of its arguments
``reading.py``     what enters with which factor: a fit of what is usual, in words
``noise.py``       draws: fresh, independent, and of the right law?
``recording.py``   distributions that remember the draws they are asked about
``estimating.py``  an estimate of a KL against its own draws (lesson 02, exercise 2)
``bound.py``       a negative ELBO against its own draws (lesson 04, exercise 2)
=================  =========================================================================
"""

from course_utils.checks.lesson_01 import denoising_pair, psnr, uniform_codes
from course_utils.checks.lesson_02 import kl_normals, kl_to_standard_normal, monte_carlo_kl
from course_utils.checks.lesson_03 import log_normal_density, reparameterize, score_gradient
from course_utils.checks.lesson_04 import binarise, kl_factor, negative_elbo
from course_utils.checks.lesson_05 import interpolate, log_likelihood, prior_grid
from course_utils.checks.lesson_06 import attribute_direction, fitted_covariance
from course_utils.checks.lesson_07 import free_bits, importance_weighted
from course_utils.checks.lesson_a1 import log_det_jacobian

__all__ = [
    "attribute_direction",
    "binarise",
    "denoising_pair",
    "fitted_covariance",
    "free_bits",
    "importance_weighted",
    "interpolate",
    "kl_factor",
    "kl_normals",
    "kl_to_standard_normal",
    "log_det_jacobian",
    "log_likelihood",
    "log_normal_density",
    "monte_carlo_kl",
    "negative_elbo",
    "prior_grid",
    "psnr",
    "reparameterize",
    "score_gradient",
    "uniform_codes",
]
