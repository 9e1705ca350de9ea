"""An estimate of a KL, compared with the draws that it was made from (lesson 02, exercise 2)."""

from typing import NamedTuple

import numpy as np
import tensorflow_probability as tfp

from course_utils.checks.calling import NOTHING, Call, NotYet, check_shape, refuse
from course_utils.checks.noise import looks_standard_normal
from course_utils.checks.reading import read
from course_utils.checks.recording import recorded
from course_utils.checks.values import evaluate

tfd = tfp.distributions


class Seen(NamedTuple):
    """One call: its output, and the draws that it asked q and p about."""

    output: float
    number: int
    different: int  # draws
    x: np.ndarray  # (draws, event), what q was asked about
    y: np.ndarray  # what p was: the same, or draws of its own
    log_q: np.ndarray
    log_p: np.ndarray


class Pair:
    """Two distributions that remember the draws they are asked about, their plain twins, and the calls so far."""

    def __init__(self, q: tfd.Distribution, p: tfd.Distribution):
        self.plain, self.asked, self.seen = (q.copy(), p.copy()), ([], []), []
        self.q = recorded(q, lambda value, _: self.asked[0].append(value))
        self.p = recorded(p, lambda value, _: self.asked[1].append(value))

    def ask(self, call: Call, number: int) -> Seen:
        for values in self.asked:
            values.clear()
        output = call(self.q, self.p, number)
        check_shape(output.shape, (), {"number": number, "event": 3})
        call.finite(output)
        event = self.q.event_shape.num_elements() or 1
        rows = [np.concatenate([np.zeros((0, event)), *_rows(part, event)]) for part in self.asked]
        of_q, of_p = [set(map(bytes, x)) for x in rows]
        # One may have been asked about more: a print, a test. What counts are the draws that both were asked about.
        both = of_q & of_p
        if len(both) > min(len(of_q), len(of_p)) / 2:  # by chance, a few of many draws are the same in float32
            rows = 2 * [np.array([one for one in rows[0] if bytes(one) in both])]
        else:
            rows = [rows[i] if len(rows[i]) else rows[1 - i] for i in (0, 1)]
        shape = (-1, *self.q.event_shape)
        asked = zip(self.plain, rows, strict=True)
        logs = [np.asarray(d.log_prob(np.float32(x.reshape(shape))), np.float64) for d, x in asked]
        self.seen.append(Seen(float(output), number, min(len(np.unique(x, axis=0)) for x in rows), *rows, *logs))
        return self.seen[-1]

    def drawn_from(self, which: int, asked: str = "x") -> bool:
        """Whether q ("x") or p ("y") was asked about draws from q (0) or p (1), as far as can be told."""
        x, distribution = np.concatenate([getattr(one, asked) for one in self.seen]), self.plain[which]
        if isinstance(distribution, tfd.Laplace):
            return True
        return looks_standard_normal((x - np.asarray(distribution.mean())) / np.asarray(distribution.stddev()))


def _rows(asked: list[np.ndarray], event: int) -> list[np.ndarray]:
    """(draws, event), what was asked; several draws that are asked about again count once."""
    rows = [np.reshape(values, (-1, event)) for values in asked]
    several = {values.tobytes(): values for values in rows if len(values) > 1}
    return [*several.values(), *(values for values in rows if len(values) == 1)]


def examine_estimate(call: Call, pairs: list[tuple]) -> None:
    """Raise NotYet unless the function returns the mean of log q - log p over draws of its own from q.

    Estimates of the last pair, in which q is near p, are asked for until two of them have to be negative. The first
    two are normals.
    """
    pairs = [Pair(q, p) for q, p in pairs]
    first, near = pairs[0], pairs[-1]
    for pair in pairs:
        one = pair.ask(call, 5)
        if pair is first and not one.different and one.output:
            _without_draws(one.output, first)
    first.ask(call, 100)
    # Tells q from p, and other laws from both; a draw at a time takes its time.
    first.ask(call, 1_000 if call.loops(*((first.q, first.p, n) for n in (5, 30)), more=25) else 20_000)
    for pair in pairs[1:-1]:
        pair.ask(call, 20)
    while len(near.seen) < 20 and sum(np.sum(one.log_q - one.log_p) < 0 for one in near.seen if one.different) < 2:
        near.ask(call, 2)
    calls = [one for pair in pairs for one in pair.seen]
    made = {len(one.x) for one in calls}
    refuse(
        {
            NOTHING: not any(one.output for one in calls),
            "some calls draw nothing: compare log q and log p at `number` draws from q, in every call.": not all(
                one.different for one in calls
            ),
            "the same draws come back on every call. Is there a fixed seed inside the function?": np.array_equal(
                first.seen[0].x, first.ask(call, 5).x
            ),
            f"the function makes {min(made)} draws whatever `number` says: use all `number` draws.": len(made) == 1,
        }
    )
    from_q = all(pair.drawn_from(0) for pair in pairs)
    if from_q and all(pair.drawn_from(1, "y") for pair in pairs[:2]):
        raise NotYet("log q is averaged over draws from q, and log p over draws from p. Both belong to draws from q.")
    from_q = from_q and all(pair.drawn_from(0, "y") for pair in pairs)
    _name(calls, from_p=not from_q and all(pair.drawn_from(1) for pair in pairs[:2]))
    few = [one for one in calls if one.different < one.number - one.number // 200]  # of many, float32 has some twice
    if few:
        raise NotYet(
            f"only {few[-1].different} different draws are made where `number` is {few[-1].number}: the error of an "
            "estimate falls with the root of their number."
        )
    if not from_q:
        raise NotYet("the points are no draws from q. The first distribution of a KL is the one you average under.")


def _without_draws(output: float, pair: Pair) -> None:
    exact = float(tfd.kl_divergence(*pair.plain))
    if abs(output - exact) < 1e-3 * exact:
        raise NotYet(
            "this is the closed form of two normals, exact and without a draw. The exercise asks for an estimate from "
            "`number` draws, which also works where there is no formula."
        )
    raise NotYet(
        f"no draws are compared: it returns {output:.4g} for a KL of {exact:.4g}. Draw from q with `sample`, and "
        "ask both distributions for their `log_prob` at the same draws."
    )


MEAN = "mean(log_q - log_p)"
ESTIMATES = {  # what is made of the log densities at the draws of one call
    "sum(log_q - log_p)": "This is the sum over the draws, not their mean: it grows with `number`.",
    "sum(log_q - log_p) / (number - 1)": "The sum is divided by `number` - 1, not by `number`.",
    f"{MEAN} / number": "The mean is divided by `number` once more.",
    "sum(log_q - log_p) / sqrt(number)": "The sum is divided by the root of `number`.",
    "sum(log_q - log_p) / number": "The sum of a part of the draws is divided by `number`.",
    "mean(exp(log_q) - exp(log_p))": "Densities stand where logarithms belong: use `log_prob`, not `prob`.",
    "mean(exp(log_q) * (log_q - log_p))": "Densities weigh the draws, which come as often as q says already.",
    "mean(exp(log_q - log_p))": "The logarithm of the ratio is missing.",
    "log(mean(exp(log_q - log_p)))": "The logarithm comes after the mean, and belongs before it.",
    "mean(log_q / log_p)": "Log q is divided by log p: subtract.",
    "mean(abs(log_q - log_p))": "An absolute value is taken of each draw. Some are negative.",
    f"abs({MEAN})": "An absolute value is taken of the estimate. That of a small KL may be negative.",
    f"maximum({MEAN}, 0)": "A negative estimate is cut to 0. That of a small KL may be negative.",
    "mean(maximum(log_q - log_p, 0))": "Negative draws are cut to 0. Some are negative.",
    "mean((log_q - log_p)**2)": "The differences are squared.",
    "median(log_q - log_p)": "The median of the draws is taken, and the mean is right.",
}


def _name(calls: list[Seen], from_p: bool) -> None:
    """Raise NotYet with the first formula over its own draws that gives every output; return for the right one."""

    def each(formula: str) -> np.ndarray:
        """Of each call; NaN where q and p were asked about different numbers of draws."""
        names = [{"log_q": one.log_q, "log_p": one.log_p, "number": one.number} for one in calls]
        return np.array([evaluate(formula, **n) if len(n["log_q"]) == len(n["log_p"]) else np.nan for n in names])

    outputs, number = np.array([(one.output, one.number) for one in calls]).T
    log_q, log_p = np.array([(one.log_q.mean(), one.log_p.mean()) for one in calls]).T
    size = np.array([2 * np.abs([*one.log_q, *one.log_p]).mean() for one in calls])
    ratio = log_q - log_p
    # With p / q - 1, whose mean is 0, an estimate is still one of the KL, and steadier (Schulman's k3).
    for right in (ratio, each(f"{MEAN} + mean(exp(log_p - log_q)) - 1")):
        if np.all(np.abs(outputs - right) < 1e-4 * np.abs(right) + 2e-5 * size) and not from_p:
            return
    candidates = [(0, "", [ratio]), (0, "", [log_q, -log_p])]
    candidates += [(0.5, words, [each(formula)]) for formula, words in ESTIMATES.items()]
    candidates += [(1.5, f"{w} And it is summed, not averaged.", [number * each(f)]) for f, w in ESTIMATES.items()]
    first = ""
    if from_p:
        first = "the samples come from p, and q is the one that you average under. "
        words = "this is the reversed divergence, KL(p||q). Draw from q, and put log q first."
        candidates = [
            (0, words, [-ratio]),
            (0, "so this is not KL(q||p) but minus the other one.", [ratio]),
            *candidates,
        ]
    negated = "The sign is wrong: the negated divergence. A KL is never negative."
    words = read(outputs, ["log q", "log p"], candidates, {"-1": negated}, {})
    if words:
        raise NotYet(first + (words[0].upper() + words[1:] if first else words))
    worst = int(np.argmax(np.abs(outputs - ratio)))
    if np.abs(outputs - ratio)[worst] > 1e-3 * size[worst]:
        raise NotYet(
            f"{first}{'For' if first else 'for'} {calls[worst].number} draws it returns {outputs[worst]:.4g}, and the "
            f"mean of log q - log p over those draws is {ratio[worst]:.4g}. Work it out for one draw by hand."
        )
