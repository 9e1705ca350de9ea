"""Inputs, answers and usual mistakes of lesson 01: PSNR, codes drawn from a box, a denoising pair.

``checks`` says what each function gets and returns.
"""

import numpy as np
from scipy.special import ndtr

from course_utils.checks.comparing import (
    Exercise,
    constant_along,
    equals,
    in_float64,
    looks_uniform,
    mistake,
    satisfies,
    sizes,
    uncorrelated,
)

# ---- peak signal-to-noise ratio ----


def _draw_images(rng):
    number, height, width = sizes(rng, 3)
    originals = rng.random((number, height, width, 1), np.float32)
    spread = rng.uniform(0.02, 0.3, (number, 1, 1, 1))
    return np.clip(originals + spread * rng.normal(size=originals.shape), 0, 1).astype(np.float32), originals


def _decibels(factor, error=lambda gap: np.mean(gap**2), logarithm=np.log10):
    return in_float64(lambda images, originals: factor * logarithm(error(images - originals)))


PSNR = Exercise(
    ("images", "originals"),
    _draw_images,
    _decibels(-10),
    (
        mistake(
            "this is the natural logarithm, and decibels use log10: your values are 2.3 times too large. Halving the "
            "squared error must add 3.01 dB.",
            _decibels(-10, logarithm=np.log),
        ),
        mistake(
            "the factor 20 belongs to the root of the error, 10 to the squared error. Yours is twice the PSNR: a "
            "good model would look perfect.",
            _decibels(-20),
        ),
        mistake(
            "the minus is missing: a better image must get more decibels, and yours gets fewer.",
            _decibels(10),
        ),
        mistake(
            "you take the sum of the squared errors, not the mean over pixels. The value then falls as images get "
            "larger or more numerous.",
            _decibels(-10, lambda gap: np.sum(gap**2)),
            in_float64(lambda a, b: np.mean(-10 * np.log10(np.sum((a - b) ** 2, axis=(1, 2, 3))))),
        ),
        mistake(
            "you take the root of the mean squared error inside 10 log10, which is half of the PSNR. With a factor "
            "of 10 the error stays squared.",
            _decibels(-5),
        ),
        mistake(
            "you average the absolute error. PSNR is about the squared error, which counts one large error more than "
            "many small ones.",
            _decibels(-10, lambda gap: np.mean(np.abs(gap))),
            _decibels(-20, lambda gap: np.mean(np.abs(gap))),
        ),
        mistake(
            "the peak is 255 in your formula, and these images end at 1: you are 48.1 dB too high.",
            in_float64(lambda a, b: 20 * np.log10(255) - 10 * np.log10(np.mean((a - b) ** 2))),
        ),
        mistake(
            "you average the decibels of the images; take one mean over all pixels first, then the logarithm. Easy "
            "images weigh too much in yours.",
            in_float64(lambda a, b: np.mean(-10 * np.log10(np.mean((a - b) ** 2, axis=(1, 2, 3))))),
        ),
    ),
    lambda images, originals: dict(zip(("batch", "height", "width"), images.shape, strict=False)),
    (),
    "Halving the mean squared error adds 3.01 dB.",
    equals,
)


# ---- codes drawn between the bounds of each dimension ----


def _draw_codes(rng):
    """Dimension 0 is positive throughout; the others have both signs, and further to reach above zero than below."""
    number, dimensions = int(rng.integers(200, 400)), int(rng.integers(3, 6))
    low = -rng.uniform(0.5, 4, dimensions)
    high = rng.uniform(1, 5, dimensions) - low
    low[0], high[0] = rng.uniform(1, 2), rng.uniform(3, 4)
    codes = low + (high - low) * rng.beta(2, 3, (number, dimensions))
    return codes.astype(np.float32), int(rng.integers(20_000, 30_000)), np.random.default_rng(rng.integers(2**32))


def _between(bounds, independent=True):
    """A test: each dimension uniform between ``bounds(lowest, highest)``."""

    def test(output, codes, number, rng):
        low, high = bounds(codes.min(axis=0).astype(np.float64), codes.max(axis=0).astype(np.float64))
        low, high = np.minimum(low, high), np.maximum(low, high)
        share = (output - low) / (high - low)
        fits = all(looks_uniform(column) for column in share.T) and share.min() > -1e-5 and share.max() < 1 + 1e-5
        return fits and (not independent or uncorrelated(share))

    return test


def _looks_normal(output, codes, number, rng):
    """Against the normal of its own mean and standard deviation; a uniform is 0.06 away, sampling noise 0.01."""
    share = np.sort(ndtr((output - output.mean(axis=0)) / output.std(axis=0)), axis=0)
    return np.max(np.abs(share - np.arange(len(share))[:, None] / len(share))) < 0.03


UNIFORM_CODES = Exercise(
    ("codes", "number", "rng"),
    _draw_codes,
    _between(lambda low, high: (low, high)),
    (
        mistake(
            "this is the published x * (max - abs(min)), which never goes below zero. Look at the smallest code that "
            "you draw: half of the code plane is never decoded.",
            _between(lambda low, high: (0 * low, high - np.abs(low)), independent=False),
        ),
        mistake(
            "the draws start at 0: x * (max - min) has the right width, but min is not added. Compare the smallest "
            "draw with the smallest code.",
            _between(lambda low, high: (0 * low, high - low), independent=False),
        ),
        mistake(
            "the width of a dimension is max - min, and yours is not. max alone, or max with abs(min), is right for "
            "one sign of min at most: these codes have dimensions of both kinds.",
            _between(lambda low, high: (low, low + high), independent=False),
            _between(lambda low, high: (low, low + high - np.abs(low)), independent=False),
            _between(lambda low, high: (low, low + high + np.abs(low)), independent=False),
            _between(lambda low, high: (0 * low, high + np.abs(low)), independent=False),
            _between(lambda low, high: (0 * low, high), independent=False),
        ),
        mistake(
            "the draws lie in (0, 1) whatever the codes are: they are not scaled to the bounds.",
            _between(lambda low, high: (0 * low, 0 * high + 1), independent=False),
        ),
        mistake(
            "there is one pair of bounds for all dimensions. Take minimum and maximum along the axis of the codes, "
            "or a narrow dimension is drawn far outside its data.",
            _between(lambda low, high: (low * 0 + low.min(), high * 0 + high.max()), independent=False),
        ),
        mistake(
            "the draws are integers, and codes are real numbers. Which method of `rng` draws real numbers?",
            lambda output, *_: np.array_equal(output, np.round(output)),
        ),
        mistake(
            "these are rows of `codes`, drawn again. They decode to images that you have already; the exercise is "
            "about the space between them.",
            lambda output, codes, *_: np.isin(output, codes).all(),
        ),
        mistake(
            "one draw serves all rows: every code is the same. Give `rng` a size.",
            lambda output, *_: constant_along(output, 0),
        ),
        mistake(
            "one draw serves all dimensions of a code, so the codes lie on a line, the diagonal of the box. Draw a "
            "number for each dimension.",
            _between(lambda low, high: (low, high), independent=False),
        ),
        mistake(
            "these are normal draws. A uniform one has the same density all over the box, and none beyond.",
            _looks_normal,
        ),
    ),
    lambda codes, number, rng: {"n": len(codes), "d": codes.shape[1], "number": number},
    ("number", "d"),
    "Uniform between the bounds of each dimension.",
    satisfies,
    describe=lambda output, codes, *_: (
        f"in dimension 0 the codes run from {codes[:, 0].min():.2f} to {codes[:, 0].max():.2f}, and your draws from "
        f"{output[:, 0].min():.2f} to {output[:, 0].max():.2f} with mean {output[:, 0].mean():.2f}. They are not "
        "uniform between the bounds."
    ),
    trials=2,
    tensors=False,
    draws=True,
)


# ---- a denoising pair ----


def _draw_clean(rng):
    number, height, width = int(rng.integers(60, 70)), int(rng.integers(20, 25)), int(rng.integers(26, 30))
    images = rng.random((number, height, width, 1), np.float32)
    return images, float(rng.uniform(0.1, 0.3)), np.random.default_rng(rng.integers(2**32))


def _noise(output, images):
    """What was added, where clipping did not hide it."""
    noisy = output.astype(np.float64)
    return np.where((noisy > 0) & (noisy < 1), noisy - images, np.nan)


def _clipped_normal(noisy, images, sd) -> bool:
    """Whether ``noisy`` is ``images`` plus normal noise, clipped: its probabilities are uniform.

    A clipped pixel gets a uniform draw from the probabilities of everything that clipping sends there.
    """
    share = ndtr((np.clip(noisy, 0, 1) - images) / sd)
    filler = np.random.default_rng().random(share.shape)
    share = np.where(noisy <= 0, filler * share, np.where(noisy >= 1, 1 - filler * (1 - share), share))
    return looks_uniform(share)


def _shared(noisy, images, axis) -> bool:
    """Whether there is noise, and the same along ``axis``."""
    noise = _noise(noisy, images)
    return np.nanstd(noise) > 1e-3 and constant_along(noise, axis)


def _replaced(noisy, images) -> bool:
    """Whether a part of the pixels is as it was, and the others are not."""
    return 0.01 < np.mean(np.isclose(noisy, images, atol=1e-6)) < 1


def _is(array, images) -> bool:
    return np.allclose(array, images, atol=1e-6)


def _right_pair(output, images, sd, rng):
    noisy, target = output
    inside = noisy.min() >= 0 and noisy.max() <= 1
    shared = _shared(noisy, images, 0) or _shared(noisy, images, (1, 2, 3))
    return _is(target, images) and inside and _clipped_normal(noisy, images, sd) and not shared


def _describe_pair(output, images, sd, rng):
    noisy, target = output
    if not _is(target, images):
        return "the targets are not the clean images, untouched."
    spread = np.nanstd(_noise(noisy, images)[np.abs(images - 0.5) < 0.1])
    return (
        f"the inputs are not images plus normal noise of standard deviation {sd:.3f}, clipped. Around pixels near 0.5 "
        f"the noise has standard deviation {spread:.3f}."
    )


DENOISING_PAIR = Exercise(
    ("images", "noise_sd", "rng"),
    _draw_clean,
    _right_pair,
    (
        mistake(
            "there is no noise: inputs and targets are both the clean images. A network learns to copy them.",
            lambda output, images, *_: _is(output[0], images) and _is(output[1], images),
        ),
        mistake(
            "the pair is swapped: the clean images are the inputs and the noisy ones the targets. The network would "
            "learn to add noise.",
            lambda output, images, *_: _is(output[0], images),
        ),
        mistake(
            "the targets are noisy as well, with the same noise as the inputs. Copying is then perfect, and nothing "
            "is denoised. Did you write into `images`?",
            lambda output, images, *_: (
                np.allclose(output[0], output[1]) or np.allclose(np.clip(output[1], 0, 1), output[0])
            ),
        ),
        mistake(
            "the targets are noisy as well. The target is what the network is to produce: the clean images.",
            lambda output, images, *_: np.std(output[1] - images) > 0.02 and abs(np.mean(output[1] - images)) < 0.1,
        ),
        mistake(
            "pixels are replaced (masked, or salt and pepper), and the others are untouched. That is another "
            "denoising task: add Gaussian noise to every pixel, with the standard deviation noise_sd.",
            lambda output, images, *_: _is(output[1], images) and _replaced(output[0], images),
        ),
        mistake(
            "there is one noise pattern for all images. The network subtracts that one pattern and learns nothing "
            "else: give the noise the shape of the images.",
            lambda output, images, *_: _is(output[1], images) and _shared(output[0], images, 0),
        ),
        mistake(
            "there is one number of noise for each image: it makes the whole image lighter or darker. Give the noise "
            "the shape of the images.",
            lambda output, images, *_: _is(output[1], images) and _shared(output[0], images, (1, 2, 3)),
        ),
        mistake(
            "the inputs are not clipped: some pixels are below 0 or above 1, where no image has any.",
            lambda output, images, sd, rng: (
                _is(output[1], images)
                and (output[0].min() < 0 or output[0].max() > 1)
                and _clipped_normal(output[0], images, sd)
            ),
        ),
        mistake(
            "noise_sd is used as a variance (or squared). The noise must have the standard deviation noise_sd: 0.25 "
            "as a variance would be a standard deviation of 0.5.",
            lambda output, images, sd, rng: _is(output[1], images) and _clipped_normal(output[0], images, sd**0.5),
            lambda output, images, sd, rng: _is(output[1], images) and _clipped_normal(output[0], images, sd**2),
        ),
        mistake(
            "the noise is only positive, so every input is lighter than its target. Noise has mean zero: which "
            "method of `rng` draws that?",
            lambda output, images, *_: _is(output[1], images) and np.min(output[0] - images) > -1e-5,
        ),
        mistake(
            "the noise is uniform, not normal: there is none beyond a fixed bound.",
            lambda output, images, sd, rng: _is(output[1], images) and np.max(np.abs(output[0] - images)) < 1.8 * sd,
        ),
    ),
    lambda images, *_: dict(zip(("n", "height", "width", "channels"), images.shape, strict=True)),
    ("n", "height", "width", "channels"),
    "Noisy inputs, clean targets.",
    satisfies,
    describe=_describe_pair,
    trials=2,
    tensors=False,
    draws=True,
    parts=2,
)
