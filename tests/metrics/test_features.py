"""metrics: sets of features, against closed forms, a computation pair by pair, and sets that are one or far apart."""

import numpy as np
import pytest

from course_utils import metrics


def test_frechet_distance_is_the_closed_form_of_two_gaussians():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((4000, 3))
    points = (points - points.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T  # exactly N(0, I)
    scales, shift = np.array([1.0, 2.0, 0.5]), np.array([0.3, 0.0, -1.0])
    expected = np.sum(shift**2) + np.sum((1 - scales) ** 2)
    np.testing.assert_allclose(metrics.frechet_distance(points, points * scales + shift), expected, rtol=1e-9)
    assert abs(metrics.frechet_distance(points, points)) < 1e-9
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]  # the distance does not depend on the axes
    np.testing.assert_allclose(
        metrics.frechet_distance(points @ turn, (points * scales + shift) @ turn), expected, rtol=1e-9
    )


def test_frechet_distance_refuses_what_has_no_covariance_or_other_dimensions():
    with pytest.raises(ValueError, match="two points"):
        metrics.frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="cannot compare"):
        metrics.frechet_distance(np.zeros((5, 3)), np.zeros((5, 2)))


def test_precision_and_recall_of_a_set_with_itself_and_with_one_far_away():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((300, 5)) + 100
    assert metrics.precision_and_recall(points, points.copy()) == (1, 1)
    assert metrics.precision_and_recall(points, points + 50) == (0, 0)
    copies = np.repeat(points, 5, axis=0)  # every ball has radius zero
    assert metrics.precision_and_recall(copies, points) == (1, 1)


def test_draws_of_one_of_two_kinds_are_precise_and_recall_half():
    rng = np.random.default_rng(1)
    kinds = rng.standard_normal((2, 400, 3)) + np.array([0, 30])[:, None, None]
    data, draws = kinds[:, :200].reshape(-1, 3), kinds[0, 200:]
    precision, recall = metrics.precision_and_recall(data, draws)
    assert precision > 0.85 and 0.42 < recall <= 0.5
    assert metrics.precision_and_recall(draws, data) == (recall, precision)


@pytest.mark.parametrize("neighbours", [1, 3])
def test_precision_and_recall_are_those_of_every_pair(neighbours):
    rng = np.random.default_rng(3)
    data, draws = rng.standard_normal((60, 4)), 0.8 * rng.standard_normal((45, 4)) + 0.3

    def share(points, others):
        inside = 0
        for point in points:
            for i, other in enumerate(others):
                radius = sorted(np.linalg.norm(np.delete(others, i, axis=0) - other, axis=1))[neighbours - 1]
                if np.linalg.norm(point - other) <= radius:
                    inside += 1
                    break
        return inside / len(points)

    found = metrics.precision_and_recall(data, draws, neighbours)
    assert found == pytest.approx((share(draws, data), share(data, draws)))
    assert 0 < found.recall < 1 and 0 < found.precision < 1


@pytest.mark.parametrize(
    "data, draws, neighbours, words",
    [
        (np.zeros((9, 2)), np.zeros((9, 3)), 3, "cannot compare"),
        (np.zeros((9, 4, 4, 1)), np.zeros((9, 4, 4, 1)), 3, "reshape"),
        (np.zeros((9, 2)), np.zeros((3, 2)), 3, "each set needs more than neighbours=3"),
        (np.zeros((9, 2)), np.zeros((9, 2)), 0, "whole number of 1 or more"),
        (np.zeros((9, 2)), np.full((9, 2), np.nan), 3, "NaN"),
    ],
)
def test_sets_without_precision_and_recall_are_refused(data, draws, neighbours, words):
    with pytest.raises(ValueError, match=f"precision_and_recall: .*{words}"):
        metrics.precision_and_recall(data, draws, neighbours)
