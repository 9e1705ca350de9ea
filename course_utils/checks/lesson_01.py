"""Lesson 01, autoencoders: exercises 1 to 3, ``psnr``, ``denoising_pair``, ``uniform_codes``."""

import numpy as np
from scipy.special import ndtr, ndtri

from course_utils.checks.calling import NotYet, check_shape, refuse
from course_utils.checks.judging import exercise
from course_utils.checks.noise import check_fresh, check_independent, law_of, looks_standard_normal, looks_uniform
from course_utils.checks.reading import LN_10
from course_utils.checks.values import Values, evaluate


@exercise("images, originals", "Halving the mean squared error adds 3.01 dB.")
def psnr(call, rng):
    """Lesson 01, exercise 1. ``function(images, originals)`` returns the peak signal-to-noise ratio.

    It gets two tensors of shape ``(batch, height, width, 1)``, pixels in [0, 1]. It returns one number, in decibels:
    ten times the decimal logarithm of the squared peak, 1, over the mean squared error of all pixels.
    """
    PSNR.examine(call, [_images(rng) for _ in range(5)])


BATCH, HEIGHT, WIDTH = 5, 7, 9


def _images(rng):
    """The lightest pixel is not 1, and the darkest not 0: the peak does not come from the images."""
    originals = rng.uniform(0.1, 0.8, (BATCH, HEIGHT, WIDTH, 1))
    spread = rng.uniform(0.02, 0.1) * rng.uniform(0.2, 3, (BATCH, 1, 1, 1))
    images = np.clip(originals + 0.02 + spread * rng.normal(size=originals.shape), 0.05, 0.9)
    return images.astype(np.float32), originals.astype(np.float32)


SUM = "You take the sum of the squared errors, not the mean over pixels: it grows with the size of the images."
PEAK = "The peak is not the largest pixel of these images but that of any image: 1."
ENERGY = (
    "You divide the energy of the images by that of the error: a signal-to-noise ratio. The peak, 1, belongs there."
)
MSE = "mean((images - originals)**2)"
PSNR = Values(
    terms=(f"-10 * log10({MSE})",),
    axes={"batch": BATCH, "height": HEIGHT, "width": WIDTH},
    mistakes={
        "-10 * log10(sum((images - originals)**2))": SUM,
        "-10 * log10(sum((images - originals)**2) / len(images))": SUM,
        f"-10 * log10({MSE} * len(images))": SUM,
        "-10 * log10(mean(abs(images - originals)))": "You average the absolute error. PSNR is about the squared one, "
        "which counts one large error more than many small ones.",
        "-20 * log10(abs(mean(images - originals)))": "The errors are averaged before they are squared: signs cancel.",
        "-10 * log10(var(images - originals))": "This is the variance of the error: the squared error counts its mean.",
        "-10 * log10(max((images - originals)**2))": "This is the largest error: take the mean of all.",
        "-10 * log10(median((images - originals)**2))": "This is the median of the squared errors: take the mean.",
        f"10 * log10(255**2 / {MSE})": "The peak is 255 in your formula, and these images end at 1: 48.1 dB too much.",
        f"10 * log10(max(originals)**2 / {MSE})": PEAK,
        f"10 * log10(max(images)**2 / {MSE})": PEAK,
        f"10 * log10(ptp(originals)**2 / {MSE})": PEAK,
        f"10 * log10(mean(originals**2) / {MSE})": ENERGY,
        f"10 * log10(mean(images**2) / {MSE})": ENERGY,
        "mean(-10 * log10(mean((images - originals)**2, axis=(1, 2, 3))))": "You average the decibels of the images; "
        "take one mean over all pixels first, then the logarithm. Easy images weigh too much in yours.",
        MSE: "This is the mean squared error itself, not decibels of it.",
        f"sqrt({MSE})": "This is the root of the mean squared error, not decibels.",
        f"1 / {MSE}": "The logarithm is missing: this is 1 over the mean squared error.",
    },
    words={
        "-1": "The minus is missing: a better image must get more decibels, and yours gets fewer.",
        "2": "The factor 20 belongs to the root of the error, 10 to the squared error: yours is twice the PSNR.",
        "1/2": "This is half of the PSNR: is there a root of the mean squared error inside 10 log10?",
        "ln 10": "This is the natural logarithm, and decibels use log10: your values are 2.3 times too large.",
        "1/10": "The factor 10 is missing: these are bels.",
        "ln 10/10": "The factor 10 is missing, and the logarithm is natural: decibels use log10.",
        "log2": "The logarithm has base 2, and decibels use log10.",
    },
    factors={"1/10": 0.1, "ln 10/10": LN_10 / 10, "log2": LN_10 / np.log(2)},
)


@exercise("images, noise_sd, rng", "Noisy inputs, clean targets.", tensors=False, parts=2)
def denoising_pair(call, rng):
    """Lesson 01, exercise 2. ``function(images, noise_sd, rng)`` returns what a denoising autoencoder is trained on.

    It gets a NumPy array ``(n, height, width, 1)`` with pixels in [0, 1], the standard deviation of the noise in the
    same units, and a NumPy Generator. It returns ``inputs, targets``, both of the images' shape: normal noise added and
    clipped to [0, 1], and the clean images.
    """
    # Two strengths of noise: a variance in place of a standard deviation shows in both.
    for sd in rng.uniform([0.03, 0.08], [0.05, 0.12]):
        images = rng.uniform(0.35, 0.65, (40, 20, 26, 1)).astype(np.float32)  # where clipping hides no noise
        anywhere = rng.random(images.shape) < 0.2
        images[anywhere] = rng.random(anywhere.sum())
        images[rng.random(images.shape) < 0.05] = 0
        images[rng.random(images.shape) < 0.05] = 1
        inputs = (images, float(sd), np.random.default_rng(rng.integers(2**32)))
        output = call(*inputs)
        for part in output:
            check_shape(part.shape, IMAGE_AXES, dict(zip(IMAGE_AXES, images.shape, strict=True)))
            call.finite(part)
        noisy, target = np.float64(output)
        _check_target(noisy, target, images)
        _check_noise(noisy, images, sd)
        check_fresh(call, inputs)


IMAGE_AXES = ("images", "rows", "columns", "channels")


def _check_target(noisy, target, images) -> None:
    def same(one, other) -> bool:
        return np.allclose(one, other, atol=1e-6)

    clean = same(noisy, images)
    if same(target, images) and not clean:
        return
    correlation = np.corrcoef(target.ravel(), images.ravel())[0, 1]
    refuse(
        {
            "there is no noise: inputs and targets are both the clean images. A network learns to copy them.": (
                clean and same(target, images)
            ),
            "the pair is swapped: the clean images are the inputs and the noisy ones the targets. The network would "
            "learn to add noise.": clean,
            "the targets are noisy as well, with the same noise as the inputs. Copying is then perfect, and nothing is "
            "denoised. Did you write into `images`?": same(noisy, target) or same(noisy, np.clip(target, 0, 1)),
            "the target is the noise itself. What this network is to produce are the clean images.": same(
                target, noisy - images
            ),
            "the targets are noisy as well. The target is what the network is to produce: the clean images.": (
                abs(np.mean(target - images)) < 0.1 and correlation > 0.9
            ),
            "the targets are not the clean images, untouched.": True,
        }
    )


def _check_noise(noisy: np.ndarray, images: np.ndarray, sd: float) -> None:
    """Raise NotYet unless ``noisy`` is ``images`` plus normal noise, clipped."""
    untouched = np.isclose(noisy, images, atol=1e-6)[(images > 0) & (images < 1)]
    inside = (images > 0.3) & (images < 0.7) & (noisy > 0) & (noisy < 1)
    refuse(
        {
            "pixels are replaced (masked, or salt and pepper), and the others are untouched. That is another denoising "
            "task: add Gaussian noise to every pixel, with the standard deviation noise_sd.": untouched.mean() > 0.01
            and np.mean(np.isin(noisy, (0, 1)) | (np.abs(noisy - images) > 6 * sd), where=noisy != images) > 0.1,
            f"nearly all pixels are 0 or 1 after clipping: the noise is much stronger than noise_sd = {sd:.3f}. Are "
            "pixels taken to run to 255?": inside.mean() < 0.1,
        }
    )
    noise = np.where(inside, noisy - images, np.nan) / sd
    check_independent(noise, IMAGE_AXES)
    if np.all(noisy - images > -1e-5, where=images < 1):
        raise NotYet(
            "the noise is only positive, so every input is lighter than its target. Noise has mean zero: which method "
            "of `rng` draws that?"
        )
    if untouched.mean() > 0.01:
        raise NotYet(
            f"{untouched.mean():.0%} of the pixels are as they were, or all but: add noise to each of them, with the "
            "standard deviation noise_sd in the units of the images."
        )
    unclipped = bool(noisy.min() < 0 or noisy.max() > 1)
    noise = noise[inside & (np.abs(images - 0.5) < 0.1)]
    times = noise.std()
    for scale, words in {
        1.0: "the inputs are not clipped: some pixels are below 0 or above 1, where no image has any." * unclipped,
        sd**-0.5: VARIANCE,
        sd: VARIANCE,
        times: f"the noise has the standard deviation {sd * times:.3g} where noise_sd = {sd:.3g} is asked for: "
        f"{times:.3g} times as much.{' The inputs are not clipped either.' * unclipped}",
    }.items():
        if looks_standard_normal(_before_clipping(noisy, images, sd * scale)):
            if words:
                raise NotYet(words)
            return
    raise NotYet(law_of(noise))


VARIANCE = (
    "noise_sd is used as a variance (or squared). The noise must have the standard deviation noise_sd: 0.25 as a "
    "variance would be a standard deviation of 0.5."
)


def _before_clipping(noisy, images, sd) -> np.ndarray:
    """The noise in units of ``sd``; of a clipped pixel, a draw from all that clipping sends there."""
    share = ndtr((np.clip(noisy, 0, 1) - images) / sd)
    filler = np.random.default_rng().random(share.shape)
    share = np.where(noisy <= 0, filler * share, np.where(noisy >= 1, 1 - filler * (1 - share), share))
    return ndtri(np.clip(share, 1e-12, 1 - 1e-12))


@exercise("codes, number, rng", "Uniform between the bounds of each dimension.", tensors=False)
def uniform_codes(call, rng):
    """Lesson 01, exercise 3. ``function(codes, number, rng)`` returns codes drawn uniformly from the data's box.

    It gets a NumPy array ``(n, d)``, an int and a NumPy Generator. It returns ``(number, d)``: dimension by dimension
    uniform between the smallest and the largest code.
    """
    for number in (3000, 150):
        # Dimension 0 is positive throughout; the others have both signs, and reach further above zero than below.
        low = -rng.uniform(0.5, 4, 4)
        high = rng.uniform(1, 5, 4) - low
        low[0], high[0] = rng.uniform(1, 2), rng.uniform(3, 4)
        low[3], high[3] = 0.6 * low[3], 0.6 * high[3]
        share = 0.1 + 0.8 * rng.beta(2, 3, (271, 4))
        share[0], share[-1] = 0, 1  # the bounds stand in the first and in the last row
        codes = (low + (high - low) * share).astype(np.float32)
        inputs = (codes, number, np.random.default_rng(rng.integers(2**32)))
        output = call(*inputs)
        check_shape(output.shape, ("number", "d"), {"n": len(codes), "d": 4, "number": number})
        call.finite(output)
        _check_codes(np.float64(output), codes)
        check_fresh(call, inputs)


def _check_codes(output: np.ndarray, codes: np.ndarray) -> None:
    refuse(
        {
            "these are rows of `codes`, or numbers out of them, drawn again. They decode to images that you have "
            "already; the exercise is about the space between them.": np.isin(np.float32(output), codes).mean() > 0.5,
            "the draws are integers, and codes are real numbers. Which method of `rng` draws real numbers?": np.all(
                output == np.round(output)
            ),
        }
    )
    low, high = np.float64((codes.min(axis=0), codes.max(axis=0)))
    own = (output - output.mean(axis=0)) / (output.std(axis=0) + 1e-9)
    check_independent(own, ("rows", "dimensions"))
    for bounds, words in BOUNDS.items():
        one, other = evaluate(bounds, low=low, high=high)
        share = (output - np.minimum(one, other)) / np.abs(other - one)
        if all(looks_uniform(column) for column in share.T) and (words or looks_uniform(share)):
            if words:
                raise NotYet(words)
            return
    if looks_standard_normal(own):
        raise NotYet("these are normal draws. A uniform one has the same density all over the box, and none beyond.")
    found = [
        f"in dimension {i} the codes run from {low[i]:.2f} to {high[i]:.2f}, and your draws from "
        f"{output[:, i].min():.2f} to {output[:, i].max():.2f} with mean {output[:, i].mean():.2f}"
        for i in (0, 1)
    ]
    raise NotYet(f"{'; '.join(found)}. They are not uniform between the bounds.")


WRONG_WIDTH = (
    "the width of a dimension is max - min, and yours is not. max alone, or max with abs(min), is right for one sign "
    "of min at most: these codes have dimensions of both kinds."
)
UNSCALED = "the draws lie in ({}, 1) whatever the codes are: they are not scaled to the bounds."
BOUNDS = {
    "low, high": "",
    "0 * low, high - abs(low)": "this is the published x * (max - abs(min)), which never goes below zero: half of the "
    "code plane is never decoded.",
    "0 * low, high - low": "the draws start at 0: x * (max - min) has the right width, but min is not added.",
    "low, low + high": WRONG_WIDTH,
    "low, low + high - abs(low)": WRONG_WIDTH,
    "low, low + high + abs(low)": WRONG_WIDTH,
    "0 * low, high + abs(low)": WRONG_WIDTH,
    "0 * low, high": WRONG_WIDTH,
    "high, high + high - low": "the draws start at max, and belong between min and max: add min, not max.",
    "-abs(high), abs(high)": WRONG_WIDTH,
    "0 * low, 1 + 0 * low": UNSCALED.format(0),
    "0 * low - 1, 1 + 0 * low": UNSCALED.format(-1),
    "min(low) + 0 * low, max(high) + 0 * low": "there is one pair of bounds for all dimensions. Take minimum and "
    "maximum along the axis of the codes, or a narrow dimension is drawn far outside its data.",
}
