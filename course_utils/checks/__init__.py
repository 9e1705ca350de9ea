"""The exercises' checks: each takes your function and prints what it makes of it.

``checks.psnr(my_function)`` prints a line that begins with "Right." or with "Not yet:". It returns None and never
raises. Your function is called on fresh random inputs, so an answer that fits one example does not pass. The usual
mistakes are recognised by the answers that they give.

Unless a docstring says otherwise, arrays come as TensorFlow tensors of float32, and your function may return a tensor
or a NumPy array.
"""

from collections.abc import Callable

from course_utils.checks import lesson_01, lesson_02, lesson_03, lesson_04, lesson_05, lesson_06
from course_utils.checks.engine import run

# ---- lesson 01: autoencoders ----


def psnr(function: Callable) -> None:
    """Lesson 01. ``function(images, originals)`` returns the peak signal-to-noise ratio.

    It gets two tensors of shape ``(batch, height, width, 1)``, pixels in [0, 1]. It returns one number, in decibels:
    ten times the decimal logarithm of the squared peak, 1, over the mean squared error of all pixels.
    """
    run(lesson_01.PSNR, function)


def uniform_codes(function: Callable) -> None:
    """Lesson 01. ``function(codes, number, rng)`` returns codes drawn uniformly from the box around the data's codes.

    It gets a NumPy array ``(n, d)``, an int and a NumPy Generator. It returns ``(number, d)``: dimension by dimension
    uniform between the smallest and the largest code.
    """
    run(lesson_01.UNIFORM_CODES, function)


def denoising_pair(function: Callable) -> None:
    """Lesson 01. ``function(images, noise_sd, rng)`` returns what a denoising autoencoder is trained on.

    It gets a NumPy array ``(n, height, width, 1)`` with pixels in [0, 1], the standard deviation of the noise in the
    same units, and a NumPy Generator. It returns ``inputs, targets``, both of the images' shape: normal noise added and
    clipped to [0, 1], and the clean images.
    """
    run(lesson_01.DENOISING_PAIR, function)


# ---- lesson 02: the KL divergence ----


def kl_normals(function: Callable) -> None:
    """Lesson 02. ``function(mean_q, sd_q, mean_p, sd_p)`` returns KL(q || p) of two normals of one variable.

    It gets four scalar tensors; the spreads are standard deviations. It returns one number, in nats.
    """
    run(lesson_02.KL_NORMALS, function)


def kl_to_standard_normal(function: Callable) -> None:
    """Lesson 02. ``function(mean, log_variance)`` returns KL(N(mean, exp(log_variance)) || N(0, I)) of each image.

    It gets two tensors ``(batch, latent_dim)``. It returns ``(batch,)``, in nats.
    """
    run(lesson_02.KL_TO_STANDARD_NORMAL, function)


def monte_carlo_kl(function: Callable) -> None:
    """Lesson 02. ``function(q, p, number)`` returns an estimate of KL(q || p) from ``number`` draws.

    It gets two TFP distributions of scalar batch shape and an int. It returns one number, in nats.
    """
    run(lesson_02.MONTE_CARLO_KL, function)


# ---- lesson 03: reparameterization ----


def reparameterize(function: Callable) -> None:
    """Lesson 03. ``function(mean, log_variance)`` returns one draw of z for each image, with gradients to both.

    It gets two tensors ``(batch, latent_dim)``. It returns a tensor of the same shape, from N(mean, exp(log_variance)).
    """
    run(lesson_03.REPARAMETERIZE, function)


def log_normal_density(function: Callable) -> None:
    """Lesson 03. ``function(z, mean, log_variance)`` returns the log density of the diagonal normal at z.

    It gets three tensors ``(batch, latent_dim)``. It returns ``(batch,)``, in nats.
    """
    run(lesson_03.LOG_NORMAL_DENSITY, function)


def score_gradient(function: Callable) -> None:
    """Lesson 03. ``function(mean, sd, number)`` returns an estimate of d/dmean E[z^2] for z ~ N(mean, sd^2).

    It gets two scalar tensors and an int. It returns one number, the score-function estimate from ``number`` draws. Any
    other unbiased estimate of that quality passes too.
    """
    run(lesson_03.SCORE_GRADIENT, function)


# ---- lesson 04: VAEs from TFP's parts ----


def binarise(function: Callable) -> None:
    """Lesson 04. ``function(images, rng)`` returns images of 0 and 1, drawn with the grey value as probability of a 1.

    It gets a NumPy array of uint8 ``(n, height, width, 1)`` and a NumPy Generator. It returns the same shape, as
    floats. Salakhutdinov and Murray 2008, "On the Quantitative Analysis of Deep Belief Networks".
    """
    run(lesson_04.BINARISE, function)


def negative_elbo(function: Callable) -> None:
    """Lesson 04. ``function(vae, images)`` returns the negative ELBO of a batch at a drawn z.

    It gets a VAE with ``vae.encoder`` (images to a distribution over z), ``vae.decoder`` (z to a distribution over
    images) and ``vae.prior``, and a tensor of binary images ``(batch, height, width, 1)``. It returns one number: nats
    per image, a mean over the batch. The KL may be analytic or estimated.
    """
    run(lesson_04.NEGATIVE_ELBO, function)


def kl_factor(function: Callable) -> None:
    """Lesson 04. ``function(model, images, posterior_of, prior)`` returns how many times the model counts its KL.

    It gets a Keras model whose only losses come from a KL layer, a tensor ``(batch, features)``, a function from images
    to the posterior, and the prior. It returns one number: the sum of ``model.losses`` over the mean KL of the images.
    """
    run(lesson_04.KL_FACTOR, function)


# ---- lesson 05: a VAE on Fashion-MNIST ----


def log_likelihood(function: Callable) -> None:
    """Lesson 05. ``function(images, logits)`` returns the Bernoulli log-likelihood of each image.

    It gets two tensors ``(batch, 28, 28, 1)``, binary pixels and real logits. It returns ``(batch,)``, in nats.
    """
    run(lesson_05.LOG_LIKELIHOOD, function)


def prior_grid(function: Callable) -> None:
    """Lesson 05. ``function(number)`` returns a grid of codes, each standing for the same share of a prior N(0, I).

    It gets an int. It returns ``(number * number, 2)``: all pairs, in any order, of the quantiles (i + 0.5) / number of
    N(0, 1), for i from 0 to number - 1.
    """
    run(lesson_05.PRIOR_GRID, function)


def interpolate(function: Callable) -> None:
    """Lesson 05. ``function(start, end, steps)`` returns a straight path of codes from one end to the other.

    It gets two tensors ``(d,)`` and an int. It returns ``(steps, d)``, equally spaced, both ends included.
    """
    run(lesson_05.INTERPOLATE, function)


# ---- lesson 06: a VAE on avatars ----


def fitted_covariance(function: Callable) -> None:
    """Lesson 06. ``function(mean, sd)`` returns the covariance of codes drawn for a whole set of images.

    It gets the means and the standard deviations of the images' posteriors, NumPy arrays ``(n, d)``. It returns
    ``(d, d)``: the covariance of a code that is drawn from the posterior of an image picked at random.
    """
    run(lesson_06.FITTED_COVARIANCE, function)
