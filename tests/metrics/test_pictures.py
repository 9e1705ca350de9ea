"""metrics: distances and decibels against a direct computation."""

import numpy as np
import pytest

from course_utils import metrics


def test_nearest_distance_is_the_smallest_root_mean_square():
    generator = np.random.default_rng(0)
    images, reference = generator.random((7, 5, 4, 1)), generator.random((11, 5, 4, 1))
    direct = np.sqrt(np.mean((images[:, None] - reference[None]) ** 2, axis=(2, 3, 4))).min(axis=1)
    np.testing.assert_allclose(metrics.nearest_distance(images, reference, chunk=3), direct, rtol=1e-4)


def test_a_copy_is_at_distance_zero_and_the_negative_at_one():
    black = np.zeros((1, 4, 4, 1), np.float32)
    assert metrics.nearest_distance(black, black)[0] == 0
    assert metrics.nearest_distance(black, 1 - black)[0] == pytest.approx(1)


@pytest.mark.parametrize("shapes", [((0, 4, 4, 1), (3, 4, 4, 1)), ((3, 4, 4, 1), (3, 4, 5, 1))])
def test_sets_that_cannot_be_compared_are_refused(shapes):
    with pytest.raises(ValueError, match="cannot compare"):
        metrics.nearest_distance(*(np.zeros(shape) for shape in shapes))


def test_psnr_is_ten_times_the_log_of_the_inverse_error():
    image = np.full((2, 3, 3, 1), 0.5)
    assert metrics.psnr(image, image + 0.1) == pytest.approx(20)
    assert metrics.psnr(image, image) == float("inf")
    with pytest.raises(ValueError, match="differ in shape"):
        metrics.psnr(image, image[:1])
