"""An estimate of a KL, compared with the draws that it was made from (lesson 02, exercise 2)."""

from typing import NamedTuple

import numpy as np
import tensorflow_probability as tfp

from course_utils.checks.calling import Call, NotYet, check_shape
from course_utils.checks.noise import looks_standard_normal
from course_utils.checks.recording import recorded
from course_utils.checks.values import NAMES, read

tfd = tfp.distributions


class Pair:
    """Two distributions that remember the draws they are asked about, and their plain twins."""

    def __init__(self, q: tfd.Distribution, p: tfd.Distribution):
        self.plain_q, self.plain_p, self.asked = q.copy(), p.copy(), {"q": [], "p": []}
        self.q = recorded(q, lambda value, _: self.asked["q"].append(value))
        self.p = recorded(p, lambda value, _: self.asked["p"].append(value))

    def ask(self, call: Call, number: int) -> "Seen":
        for values in self.asked.values():
            values.clear()
        output = call(self.q, self.p, number)
        check_shape(output.shape, (), {"number": number, "event": 3})
        call.finite(output)
        event = self.q.event_shape.num_elements() or 1
        rows = [
            np.concatenate([np.reshape(v, (-1, event)) for v in values]) if values else np.zeros((0, event))
            for values in self.asked.values()
        ]
        of_q, of_p = (rows[i] if len(rows[i]) else rows[1 - i] for i in (0, 1))
        draws = min(len(np.unique(x, axis=0)) for x in (of_q, of_p))
        return Seen(float(output), number, draws, of_q, _log_prob(self.plain_q, of_q), _log_prob(self.plain_p, of_p))


class Seen(NamedTuple):
    """One call: its output, and the draws that it asked q and p about."""

    output: float
    number: int
    draws: int  # different ones
    x: np.ndarray  # (draws, event), what q was asked about
    log_q: np.ndarray
    log_p: np.ndarray


def _log_prob(distribution, x):
    return np.asarray(distribution.log_prob(np.float32(x if distribution.event_shape.rank else x[:, 0])), np.float64)


def examine_estimate(call: Call, pairs: list[tuple], near: tuple) -> None:
    """Raise NotYet unless the function returns the mean of log q - log p over draws of its own from q.

    Estimates of ``near`` are asked for until two of them have to be negative. The first pair is asked for many draws
    at the end. The first two and ``near`` are normals.
    """
    pairs = [Pair(q, p) for q, p in (*pairs, near)]
    seen = [[pair.ask(call, 5)] for pair in pairs]
    if not seen[0][0].draws and seen[0][0].output:
        _without_draws(seen[0][0], pairs[0])
    seen[0].append(pairs[0].ask(call, 100))  # tells q from p
    quick = not call.loops(*((pairs[0].q, pairs[0].p, n) for n in (10, 60)), more=50)
    for pair, several in zip(pairs[1:-1], seen[1:], strict=False):  # a draw at a time takes its time
        several.append(pair.ask(call, 20))
    while len(seen[-1]) < 20 and sum(np.sum(one.log_q - one.log_p) < 0 for one in seen[-1] if one.draws) < 2:
        seen[-1].append(pairs[-1].ask(call, 2))
    calls = [one for several in seen for one in several]
    outputs = np.array([one.output for one in calls])
    if not outputs.any():
        raise NotYet("not started yet? The function returns zeros only.")
    if not all(one.draws for one in calls):
        raise NotYet("some calls draw nothing: compare log q and log p at `number` draws from q, in every call.")
    if np.array_equal(seen[0][0].x, pairs[0].ask(call, 5).x):
        raise NotYet("the same draws come back on every call. Is there a fixed seed inside the function?")
    if len({len(one.x) for one in calls}) == 1:
        raise NotYet(f"the function makes {len(calls[0].x)} draws whatever `number` says: use all `number` draws.")
    from_q = all(_drawn_from(pair.plain_q, several) for pair, several in zip(pairs, seen, strict=True))
    from_p = not from_q and all(_drawn_from(pair.plain_p, s) for pair, s in zip(pairs[:2], seen, strict=False))
    _name(calls, outputs, from_p)
    few = [one for one in calls if one.draws < one.number]
    if few:
        raise NotYet(
            f"only {few[-1].draws} different draws are made where `number` is {few[-1].number}: the error of an "
            "estimate falls with the root of their number."
        )
    if not from_q:
        raise NotYet("the points are no draws from q. The first distribution of a KL is the one you average under.")
    many = pairs[0].ask(call, 20_000) if quick else None
    if many and many.draws < 15_000:
        raise NotYet(f"only {many.draws} draws are made where `number` is 20000: use all `number` draws.")


def _without_draws(one: Seen, pair: Pair) -> None:
    exact = float(tfd.kl_divergence(pair.plain_q, pair.plain_p))
    if abs(one.output - exact) < 1e-3 * exact:
        raise NotYet(
            "this is the closed form of two normals, exact and without a draw. The exercise asks for an estimate from "
            "`number` draws, which also works where there is no formula."
        )
    raise NotYet(
        f"no draws are compared: it returns {one.output:.4g} for a KL of {exact:.4g}. Draw from q with `sample`, and "
        "ask both distributions for their `log_prob` at the same draws."
    )


def _drawn_from(distribution, several: list[Seen]) -> bool:
    x = np.concatenate([one.x for one in several])
    if isinstance(distribution, tfd.Laplace):
        return True
    return looks_standard_normal(np.ravel((x - np.asarray(distribution.mean())) / np.asarray(distribution.stddev())))


MEAN = "mean(log_q - log_p)"
ESTIMATES = {  # what is made of the log densities at the draws of one call
    "sum(log_q - log_p)": "This is the sum over the draws, not their mean: it grows with `number`.",
    "sum(log_q - log_p) / (number - 1)": "The sum is divided by `number` - 1: a mean of draws from q divides by "
    "`number`.",
    f"{MEAN} / number": "The mean is divided by `number` once more.",
    "sum(log_q - log_p) / sqrt(number)": "The sum is divided by the root of `number`, and a mean divides by `number`.",
    "sum(log_q - log_p) / number": "The sum of a part of the draws is divided by `number`.",
    "mean(exp(log_q) - exp(log_p))": "Densities stand where their logarithms belong: use `log_prob`, not `prob`.",
    "mean(exp(log_q) * (log_q - log_p))": "Densities weigh the draws, which are already as frequent as q says: a plain "
    "mean is right.",
    "mean(exp(log_q - log_p))": "The logarithm is missing: this is the mean ratio of the densities.",
    "log(mean(exp(log_q - log_p)))": "The mean of the ratio is taken before its logarithm: take the logarithm of each "
    "draw first.",
    "mean(log_q / log_p)": "Log q is divided by log p: subtract.",
    "mean(abs(log_q - log_p))": "An absolute value is taken of each draw. Single draws are negative, and have to be.",
    f"abs({MEAN})": "An absolute value is taken of the estimate. A KL is never negative, but an honest estimate of a "
    "small one may be.",
    f"maximum({MEAN}, 0)": "A negative estimate is cut to 0. A KL is never negative, but an honest estimate of a small "
    "one may be.",
    "mean(maximum(log_q - log_p, 0))": "Negative draws are cut to 0. Single draws are negative, and have to be.",
    "mean((log_q - log_p)**2)": "The differences are squared.",
    "median(log_q - log_p)": "The median of the draws is taken, and the mean is right.",
}
NEGATED = "The sign is wrong: the negated divergence. A KL is never negative."


def _name(calls: list[Seen], outputs: np.ndarray, from_p: bool) -> None:
    """Raise NotYet with the first formula over its own draws that gives every output; return for the right one."""
    log_q, log_p, size, number = np.array(
        [(x.log_q.mean(), x.log_p.mean(), np.abs([*x.log_q, *x.log_p]).mean() * 2, x.number) for x in calls]
    ).T

    def each(formula: str) -> np.ndarray:
        """Of each call; NaN where q and p were asked about different numbers of draws."""
        values = [{"log_q": x.log_q, "log_p": x.log_p, "number": x.number} for x in calls]
        return np.array([eval(formula, NAMES, v) if len(v["log_q"]) == len(v["log_p"]) else np.nan for v in values])

    ratio = log_q - log_p
    # With p / q - 1, whose mean is 0, an estimate is still one of the KL, and steadier (Schulman's k3).
    for right in (ratio, each(f"{MEAN} + mean(exp(log_p - log_q)) - 1")):
        if np.all(np.abs(outputs - right) < 1e-4 * np.abs(right) + 2e-5 * size) and not from_p:
            return
    if from_p and np.allclose(outputs, -ratio, rtol=1e-3, atol=1e-4):
        raise NotYet("this is the reversed divergence, KL(p||q). Draw from q, and put log q first.")
    first = "the samples come from p, and q is the one that you average under. " if from_p else ""
    if from_p and np.allclose(outputs, ratio, rtol=1e-3, atol=1e-4):
        raise NotYet(f"{first}So this is not KL(q||p) but minus the other one.")
    candidates = [(0, "", [ratio]), (0, "", [log_q, -log_p])]
    candidates += [(0.5, words, [each(formula)]) for formula, words in ESTIMATES.items()]
    candidates += [(1.5, f"{w} And it is summed, not averaged.", [number * each(f)]) for f, w in ESTIMATES.items()]
    words = read(outputs, ["log q", "log p"], candidates, {"-1": NEGATED}, {})
    worst = int(np.argmax(np.abs(outputs - ratio)))
    if words or np.abs(outputs - ratio)[worst] > 1e-3 * size[worst]:
        raise NotYet(
            first + words
            if words
            else f"{first}for {calls[worst].number} draws it returns {outputs[worst]:.4g}, and the mean of "
            f"log q - log p over those draws is {ratio[worst]:.4g}. Work it out for one draw by hand."
        )
