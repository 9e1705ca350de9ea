"""What a trained model is worth, as numbers on images that it has not seen. In nats per image, if not said otherwise.

====================  ======================================================================================
``bound.py``          negative ELBO with its two terms, distortion and rate; the importance-weighted bound
``codes.py``          what each latent dimension is used for: its KL, and whether its mean moves
``aggregate.py``      the KL taken apart: what codes tell of images, and the aggregate posterior from the prior
``factors.py``        how far each known factor has a latent dimension of its own
``features.py``       draws beside data: precision and recall, Frechet distance
``pictures.py``       pictures beside pictures: the closest one of a set, decibels
====================  ======================================================================================

Those that take a model take anything with ``encoder``, ``decoder`` and ``prior``, as ``models.VAE`` has them. Lesson 07
uses every one of them, and says what each is good for.
"""

from course_utils.metrics.aggregate import KLDecomposition, kl_decomposition, kl_decomposition_per_dimension
from course_utils.metrics.bound import Estimate, RateDistortion, importance_weighted_bound, rate_distortion
from course_utils.metrics.codes import active_units, code_variances, kl_per_dimension
from course_utils.metrics.factors import mutual_information_gap
from course_utils.metrics.features import PrecisionRecall, frechet_distance, precision_and_recall
from course_utils.metrics.pictures import nearest_distance, psnr

__all__ = [
    "Estimate",
    "KLDecomposition",
    "PrecisionRecall",
    "RateDistortion",
    "active_units",
    "code_variances",
    "frechet_distance",
    "importance_weighted_bound",
    "kl_decomposition",
    "kl_decomposition_per_dimension",
    "kl_per_dimension",
    "mutual_information_gap",
    "nearest_distance",
    "precision_and_recall",
    "psnr",
    "rate_distortion",
]
