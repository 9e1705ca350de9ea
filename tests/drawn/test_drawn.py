"""drawn: garments and digits that are repeatable, varied, and worth learning."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from course_utils import drawn

KINDS = {"garments": drawn.garments, "digits": drawn.digits}


@pytest.fixture(scope="module", params=KINDS)
def sample(request):
    images, labels = KINDS[request.param](2500, np.random.default_rng(1))
    return request.param, images, labels


def test_shape_type_and_classes(sample):
    _, images, labels = sample
    assert images.shape == (2500, 28, 28, 1) and images.dtype == np.uint8
    assert labels.shape == (2500,) and labels.dtype == np.uint8
    assert np.bincount(labels, minlength=10).min() > 180
    assert len(drawn.GARMENTS) == len(drawn.DIGITS) == 10


@pytest.mark.parametrize("draw", KINDS.values(), ids=KINDS)
def test_the_same_seed_draws_the_same_images_and_another_seed_others(draw):
    first, again, other = (draw(20, np.random.default_rng(seed))[0] for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


@pytest.mark.parametrize("draw", KINDS.values(), ids=KINDS)
def test_less_than_one_image_is_refused(draw):
    with pytest.raises(ValueError, match="at least"):
        draw(0, np.random.default_rng(0))


def test_background_is_black_and_the_object_bright(sample):
    name, images, _ = sample
    pixels = images[..., 0].astype(float)
    assert np.median(pixels[:, [0, 0, 27, 27], [0, 27, 0, 27]]) == 0
    assert np.all(pixels.max(axis=(1, 2)) > 50)
    lit = (pixels > 127).mean()  # Fashion-MNIST has 0.26, MNIST 0.13
    assert (0.18 < lit < 0.36) if name == "garments" else (0.08 < lit < 0.2)


def test_images_of_a_class_differ_from_each_other(sample):
    _, images, labels = sample
    for label in range(10):
        own = images[labels == label].reshape(-1, 784) / 255
        assert own.std(axis=0).mean() > 0.05, label


def test_a_simple_classifier_learns_the_classes_but_brightness_does_not_tell_them(sample):
    _, images, labels = sample
    pixels = images.reshape(len(images), -1) / 255
    train, test = slice(0, 2000), slice(2000, None)
    score = LogisticRegression(max_iter=200).fit(pixels[train], labels[train]).score(pixels[test], labels[test])
    assert score > 0.85
    brightness = pixels.mean(axis=1, keepdims=True)
    assert LogisticRegression().fit(brightness[train], labels[train]).score(brightness[test], labels[test]) < 0.5


def test_digits_sit_in_the_middle_and_fill_their_box():
    images = drawn.digits(300, np.random.default_rng(2))[0][..., 0].astype(float)
    weight = images.sum(axis=(1, 2))
    for axis in (1, 2):
        centre = images.sum(axis=axis) @ np.arange(28) / weight
        assert np.all(np.abs(centre - 13.5) < 2.5)
    rows = [np.flatnonzero(image.max(axis=1) > 60) for image in images]
    height = np.array([row[-1] - row[0] + 1 for row in rows])
    assert 17 <= np.median(height) <= 21 and height.max() <= 23


def test_most_garments_survive_binarising():
    images, labels = drawn.garments(1000, np.random.default_rng(3))
    ink = (images > 127).mean(axis=(1, 2, 3))
    assert np.mean(ink > 0.03) > 0.8
    assert {int(label) for label in labels[ink > 0.03]} == set(range(10))
