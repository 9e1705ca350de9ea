"""metrics: the mutual information gap of ideal and random codes, and against a table of counts."""

import numpy as np
import pytest

from course_utils import metrics


@pytest.fixture
def factors():
    rng = np.random.default_rng(2)
    return np.stack([rng.integers(0, 5, 10_000), rng.integers(0, 3, 10_000)], axis=1)


def test_a_dimension_for_each_factor_scores_one(factors):
    noise = np.random.default_rng(0).standard_normal((len(factors), 1))
    gaps = metrics.mutual_information_gap(np.concatenate([noise, -factors], axis=1), factors)
    assert gaps.shape == (2,) and np.all(gaps > 0.99) and np.all(gaps <= 1)


def test_random_codes_score_nothing(factors):
    codes = np.random.default_rng(0).standard_normal((len(factors), 4))
    assert np.all(np.abs(metrics.mutual_information_gap(codes, factors)) < 0.01)


def test_two_dimensions_that_tell_the_same_have_no_gap(factors):
    np.testing.assert_allclose(metrics.mutual_information_gap(np.concatenate([factors, factors], 1), factors), 0)


def test_a_dimension_that_tells_half_of_it_leaves_the_other_half():
    factor = np.repeat(np.arange(4), 25)
    codes = np.stack([factor // 2, 3.0 * factor, np.tile([0, 1], 50)], axis=1)
    np.testing.assert_allclose(metrics.mutual_information_gap(codes, factor[:, None]), [0.5], rtol=1e-9)


@pytest.mark.parametrize("bins", [20, 7])
def test_it_is_that_of_a_table_of_counts(factors, bins):
    rng = np.random.default_rng(4)
    codes = factors @ rng.standard_normal((2, 3)) + rng.standard_normal((len(factors), 3))

    def information(code, factor):
        table = np.histogram2d(code, factor, [bins, np.arange(factor.max() + 2) - 0.5])[0] / len(code)
        parts = table.sum(axis=1, keepdims=True) * table.sum(axis=0)
        return np.sum(table[table > 0] * np.log(table[table > 0] / parts[table > 0]))

    expected = []
    for factor in factors.T:
        told = sorted(information(code, factor) for code in codes.T)
        shares = np.bincount(factor) / len(factor)
        expected.append((told[-1] - told[-2]) / -np.sum(shares * np.log(shares)))
    np.testing.assert_allclose(metrics.mutual_information_gap(codes, factors, bins), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "codes, factors, words",
    [
        (np.zeros((5, 2)), np.ones((5, 1), int), "one value in all images: \\[0\\]"),
        (np.zeros((5, 1)), np.eye(5, dtype=int), "two dimensions or more"),
        (np.zeros((5, 2)), np.eye(4, dtype=int), "of the same images"),
        (np.zeros((5, 2)), np.eye(5), "whole numbers"),
        (np.full((5, 2), np.nan), np.eye(5, dtype=int), "NaN"),
    ],
)
def test_what_has_no_gap_is_refused(codes, factors, words):
    with pytest.raises(ValueError, match=f"mutual_information_gap: .*{words}"):
        metrics.mutual_information_gap(codes, factors)
    with pytest.raises(ValueError, match="bins=1"):
        metrics.mutual_information_gap(np.zeros((5, 2)), np.eye(5, dtype=int), bins=1)
