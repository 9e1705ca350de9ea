"""Every sentence in the tables of the checks is said to the answer that it stands beside: no entry is dead."""

import inspect

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from course_utils import checks
from course_utils.checks import (
    estimating,
    lesson_01,
    lesson_02,
    lesson_03,
    lesson_04,
    lesson_05,
    lesson_06,
    lesson_07,
    lesson_a1,
)
from course_utils.checks.reading import products
from course_utils.checks.values import evaluate

tfd = tfp.distributions
VALUES = {
    "psnr": lesson_01.PSNR,
    "kl_normals": lesson_02.KL_NORMALS,
    "kl_to_standard_normal": lesson_02.KL_TO_STANDARD_NORMAL,
    "log_normal_density": lesson_03.DENSITY,
    "log_likelihood": lesson_05.LIKELIHOOD,
    "interpolate": lesson_05.INTERPOLATE,
    "fitted_covariance": lesson_06.covariance(1),
    "attribute_direction": lesson_06.DIRECTION,
    "importance_weighted": lesson_07.IMPORTANCE_WEIGHTED,
    "free_bits": lesson_07.FREE_BITS,
    "log_det_jacobian": lesson_a1.LOG_DET[4],
}


IN_ONE_TERM = {"sd_p, sd_q": "sd_q**2 / (2 * sd_p**2)"}  # exchanged in all terms, they give the reversed divergence


def arguments_of(check: str) -> str:
    """As between the parentheses of the learner's ``def``: the docstring of every check names them."""
    return getattr(checks, check).__doc__.split("function(")[1].split(")")[0]


def answer(check: str, value):
    """A learner's function, of which ``value(**arguments)`` is the output, in float64 until the end."""

    def function(*inputs):
        inputs = [np.float64(one) if tf.is_tensor(one) or isinstance(one, np.ndarray) else one for one in inputs]
        output = np.asarray(value(**dict(zip(names, inputs, strict=True))))
        return np.float32(np.where(np.abs(output.imag) > 1e-9, np.nan, output.real))

    names = arguments_of(check).split(", ")
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    function.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])
    return function


def of_values(check: str, values):
    """(words, function) for all mistakes, for all that stands in place of a term, and for factors and arguments."""
    values.arguments = tuple(arguments_of(check).split(", "))
    for formula, words in values.mistakes.items():
        yield words, lambda formula=formula, **inputs: values.value(formula, tuple(inputs.values()))
    for other, words in values.stand_ins.items():
        yield words, lambda other=other, **inputs: values.right(*other(*inputs.values()))
    for term, forms in values.other_forms.items():
        for form, words in forms.items():

            def value(term=term, form=form, **inputs):
                parts = values.parts(tuple(inputs.values()))
                parts[term] = values.value(form, tuple(inputs.values()))
                return sum(parts.values())

            yield words or f"In place of {term} stands {form}", value
    table = products(values.sizes, values.factors)
    for key, words in values.words.items():
        term, _, name = key.rpartition(": ")

        def value(term=term, name=name, words=words, **inputs):
            inputs = tuple(inputs.values())
            parts = values.parts(inputs)
            if (name,) not in table and name != "0":  # what is in place of an argument
                made = next(made for _, said, made in values.variants(inputs) if said == words)
                changed = IN_ONE_TERM.get(name)
                return sum(values.parts(made if changed in (None, own) else inputs)[own] for own in parts)
            factor = table.get((name,), 0)
            return sum(part * (factor if term in ("", own) else 1) for own, part in parts.items())

        yield words, value


def drawn_codes(bounds):
    def value(codes, number, rng):
        low, high = evaluate(bounds, low=codes.min(axis=0), high=codes.max(axis=0))
        return low + (high - low) * rng.random((number, codes.shape[1]))

    return value


def drawn_pixels(probability):
    return lambda images, rng: rng.random(images.shape) < evaluate(probability, grey=np.float64(images))


def estimate(formula):
    def value(q, p, number):
        x = q.sample(number)
        x = x[: number // 2 + 1] if formula == "sum(log_q - log_p) / number" else x  # which is right of all draws
        log_q, log_p = np.float64(q.log_prob(x)), np.float64(p.log_prob(x))
        return evaluate(formula, log_q=log_q, log_p=log_p, number=number)

    return value


def average(formula):
    return lambda mean, sd, number: evaluate(formula, mean=mean, sd=sd) + 1e-3 * np.random.normal()  # noqa: NPY002


def factor(formula):
    def value(model, images, posterior_of, prior):
        model(images)
        q, standard = posterior_of(images), tfd.MultivariateNormalDiag(tf.zeros(prior.event_shape))
        kls = {"kl": (q, prior), "reversed_kl": (prior, q), "standard": (q, standard)}
        means = {name: float(tf.reduce_mean(tfd.kl_divergence(*pair))) for name, pair in kls.items()}
        losses = [float(loss) for loss in model.losses]
        ends = {"first": losses[0] / means["kl"], "last": losses[-1] / means["kl"]}
        return evaluate(formula, losses=sum(losses), number=len(losses), batch=len(images), **means, **ends)

    return value


def cases():
    for check, values in VALUES.items():
        for words, value in of_values(check, values):
            yield check, words, value
    for check, table, answer_of in [
        ("uniform_codes", lesson_01.BOUNDS, drawn_codes),
        ("binarise", lesson_04.PROBABILITIES, drawn_pixels),
        ("monte_carlo_kl", estimating.ESTIMATES, estimate),
        ("score_gradient", lesson_03.AVERAGED, average),
        ("kl_factor", lesson_04.FACTORS, factor),
    ]:
        for formula, words in table.items():
            if "stale" not in formula:  # a loss of another call: tests/checks/test_checks.py
                yield check, words, answer_of(formula)


CASES = [pytest.param(*case, id=f"{case[0]}-{i}") for i, case in enumerate(cases())]


@pytest.mark.parametrize("check, words, value", CASES)
def test_every_sentence_is_said(capsys, check, words, value):
    getattr(checks, check)(answer(check, value))
    said = capsys.readouterr().out
    assert said.startswith("Not yet: " if words else "Right."), said
    assert words.rstrip(".").lower() in said.lower(), said


@pytest.mark.parametrize("part, words", [*lesson_03.SCALES.items(), *lesson_03.LOCATIONS.items()])
def test_every_sentence_on_draws_is_said(capsys, part, words):
    scale = part if part in lesson_03.SCALES else "exp(log_variance / 2)"
    location = part if part in lesson_03.LOCATIONS else "mean"

    def value(mean, log_variance):
        inputs = {"mean": mean, "log_variance": log_variance}
        return evaluate(location, **inputs) + evaluate(scale, **inputs) * np.random.normal(size=mean.shape)  # noqa: NPY002

    checks.reparameterize(answer("reparameterize", value))
    said = capsys.readouterr().out
    assert said.startswith("Not yet: "), "NumPy has no gradient"
    assert (words or "the draws have the right distribution") in said, said
