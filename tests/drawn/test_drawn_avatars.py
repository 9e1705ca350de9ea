"""drawn: avatars that follow from their factors, and factors that are independent and can be read from the images."""

import time

import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.linear_model import Ridge, RidgeClassifier

from course_utils import drawn
from course_utils.drawn import avatar_parts

NUMBER = 1500
BASE = {name: 1 for name in drawn.AVATAR_FACTORS} | {"glasses": 0, "facial_hair": 0, "hair": 2}


@pytest.fixture(scope="module")
def sample():
    return drawn.avatars(NUMBER, np.random.default_rng(1))


@pytest.fixture(scope="module")
def small(sample):
    """Each 8x8 block averaged: ``(NUMBER, 32 * 32 * 3)``."""
    images = sample[0].reshape(NUMBER, 32, 8, 32, 8, 3)
    return images.mean(axis=(2, 4), dtype=np.float32).reshape(NUMBER, -1) / 255


@pytest.fixture(scope="module")
def many():
    return drawn.avatar_factors(200_000, np.random.default_rng(2))


def held_out(number):
    """The first two thirds are learned from, the last third is predicted."""
    return slice(0, number * 2 // 3), slice(number * 2 // 3, number)


def accuracy_of_colour(pixels, name, labels):
    """A ridge regression on the colour itself; the nearest of the palette is the answer."""
    palette = np.array([tuple(bytes.fromhex(colour)) for colour in avatar_parts.COLOURS[name].values()], float)
    train, test = held_out(len(labels))
    predicted = Ridge(alpha=0.3).fit(pixels[train], palette[labels[train]]).predict(pixels[test])
    nearest = np.linalg.norm(predicted[:, None] - palette, axis=-1).argmin(axis=1)
    return np.mean(nearest == labels[test])


def test_shapes_types_and_categories(sample):
    images, factors = sample
    assert images.shape == (NUMBER, 256, 256, 3) and images.dtype == np.uint8
    assert tuple(factors) == tuple(drawn.AVATAR_FACTORS)
    for name, values in factors.items():
        assert values.shape == (NUMBER,) and values.dtype == np.uint8
        assert set(values.tolist()) == set(range(len(drawn.AVATAR_FACTORS[name]))), name


def test_ten_factors_are_artwork_four_colour_four_proportion():
    assert {kind: len(names) for kind, names in drawn.AVATAR_KINDS.items()} == {
        "artwork": 10,
        "colour": 4,
        "proportion": 4,
    }
    assert sorted(sum(drawn.AVATAR_KINDS.values(), ())) == sorted(drawn.AVATAR_FACTORS)
    for name, categories in drawn.AVATAR_FACTORS.items():
        assert len(set(categories)) == len(categories) >= 2, name
    assert drawn.AVATAR_FACTORS["glasses"][0] == drawn.AVATAR_FACTORS["facial_hair"][0] == "none"


def test_the_same_seed_draws_the_same_images_and_another_seed_others():
    first, again, other = (drawn.avatars(5, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first[0], again[0])
    assert all(np.array_equal(first[1][name], again[1][name]) for name in first[1])
    assert np.all(np.any(first[0] != other[0], axis=(1, 2, 3)))


def test_an_image_follows_from_its_factors_alone(sample):
    images, factors = sample
    for i in range(0, NUMBER, 150):
        np.testing.assert_array_equal(images[i], drawn.avatar({name: values[i] for name, values in factors.items()}))


def test_the_factors_alone_are_those_of_the_images(sample):
    again = drawn.avatar_factors(NUMBER, np.random.default_rng(1))
    assert all(np.array_equal(again[name], values) for name, values in sample[1].items())


@pytest.mark.parametrize("draw", [drawn.avatars, drawn.avatar_factors])
def test_less_than_one_image_is_refused(draw):
    with pytest.raises(ValueError, match="at least"):
        draw(0, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({name: 0 for name in BASE if name != "hair"}, "hair"),
        (BASE | {"hat": 1}, "hat"),
        (BASE | {"hair": len(drawn.AVATAR_FACTORS["hair"])}, "hair"),
        (BASE | {"eye_lid": -1}, "eye_lid"),
    ],
)
def test_factors_that_describe_no_avatar_are_refused(factors, message):
    with pytest.raises(ValueError, match=message):
        drawn.avatar(factors)


@pytest.mark.parametrize("name", drawn.AVATAR_FACTORS)
def test_every_category_is_seen_in_the_image(name):
    base = BASE | ({"glasses": 1} if name == "glasses_color" else {})
    images = [drawn.avatar(base | {name: index}).astype(int) for index in range(len(drawn.AVATAR_FACTORS[name]))]
    for i, image in enumerate(images):
        for other in images[:i]:
            assert np.sum(np.abs(image - other).max(axis=-1) > 25) > 30, (name, i)  # pixels that clearly differ


def test_a_factor_changes_its_own_place_only():
    def changed_rows(**change):
        rows = np.flatnonzero(np.any(drawn.avatar(BASE) != drawn.avatar(BASE | change), axis=(1, 2)))
        return rows.min(), rows.max()

    for change, top, bottom in (
        ({"eye_color": 3}, 120, 145),
        ({"glasses": 2}, 105, 160),
        ({"eyebrow_shape": 4}, 90, 125),
        ({"facial_hair": 7}, 110, 220),
        ({"chin_length": 2}, 120, 225),
    ):
        first, last = changed_rows(**change)
        assert top <= first <= last <= bottom, change


def test_the_background_is_white_and_nothing_leaves_the_image(sample):
    images, _ = sample
    border = images[:, 0], images[:, :200, 0], images[:, :200, -1]
    assert all(np.all(pixels == 255) for pixels in border)
    white = np.all(images == 255, axis=-1).mean(axis=(1, 2))
    assert 0.3 < white.min() and white.max() < 0.75


def test_edges_are_soft():
    """Along a row that crosses the head, from white to skin, there are pixels between."""
    image = drawn.avatar(BASE | {"hair": 0}).astype(int)
    edges = [row[np.flatnonzero(row[:, 2] < 255)[0], 2] for row in image[60:115]]
    assert len(set(edges)) > 8


def test_factors_have_the_stated_probabilities(many):
    for name, values in many.items():
        count = len(drawn.AVATAR_FACTORS[name])
        expected = np.full(count, 1 / count)
        if name in ("glasses", "facial_hair"):
            expected = np.r_[0.5, np.full(count - 1, 0.5 / (count - 1))]
        observed = np.bincount(values, minlength=count)
        statistic = np.sum((observed - expected * len(values)) ** 2 / (expected * len(values)))
        assert statistic < chi2.ppf(1 - 1e-5, count - 1), name


def test_factors_are_independent_in_pairs(many):
    """The chi-square test of each of the 153 tables. Of 600 seeds about one would fail it by chance."""
    names = list(many)
    for i, first in enumerate(names):
        for second in names[:i]:
            shape = len(drawn.AVATAR_FACTORS[first]), len(drawn.AVATAR_FACTORS[second])
            joint = np.ravel_multi_index((many[first], many[second]), shape)
            observed = np.bincount(joint, minlength=shape[0] * shape[1]).reshape(shape)
            expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0) / observed.sum()
            statistic = np.sum((observed - expected) ** 2 / expected)
            assert statistic < chi2.ppf(1 - 1e-5, (shape[0] - 1) * (shape[1] - 1)), (first, second)


def test_glasses_are_read_from_small_images(sample, small):
    train, test = held_out(NUMBER)
    worn = sample[1]["glasses"] > 0
    assert RidgeClassifier(alpha=0.3).fit(small[train], worn[train]).score(small[test], worn[test]) > 0.95


def test_hair_colour_is_read_from_small_images_unless_there_is_no_hair(sample, small):
    hair = sample[1]["hair"] != drawn.AVATAR_FACTORS["hair"].index("bald")
    assert accuracy_of_colour(small[hair], "hair_color", sample[1]["hair_color"][hair]) > 0.95


def test_face_colour_is_read_from_small_images_but_not_from_the_hair(sample, small):
    assert accuracy_of_colour(small, "face_color", sample[1]["face_color"]) > 0.95
    covered = np.isin(
        sample[1]["hair"], [drawn.AVATAR_FACTORS["hair"].index(name) for name in ("afro", "bob", "quiff")]
    )
    top = small.reshape(NUMBER, 32, 32, 3)[covered, :7].reshape(covered.sum(), -1)
    assert accuracy_of_colour(top, "face_color", sample[1]["face_color"][covered]) < 0.35  # by chance 0.14


def test_300_images_a_second():
    """On one core, once the masks are drawn. The best of three, in the time of this process, since others may run."""
    factors = drawn.avatar_factors(60, np.random.default_rng(9))
    rows = [{name: values[i] for name, values in factors.items()} for i in range(60)]
    seconds = []
    for _ in range(4):
        start = time.process_time()
        for row in rows:
            drawn.avatar(row)
        seconds.append(time.process_time() - start)
    assert min(seconds[1:]) / len(rows) < 1 / 300
