"""benchmarks: the reference table says what was stored, and a row of it can be run."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from course_utils import data, pretrained
from course_utils.data import mnist

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.append(str(BENCHMARKS))

import bands  # noqa: E402
import draws  # noqa: E402
import reference  # noqa: E402
import reference_page  # noqa: E402


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "DRAWN_SIZES", (256, 256))
        patch.setenv("COURSE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return data.load_mnist(source="drawn")


ROWS = reference.rows()


def one_epoch():
    """Every row, with one epoch."""
    return {name: row._replace(epochs=1) for name, row in ROWS.items()}


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(reference, "rows", one_epoch)


def test_the_page_is_what_the_command_writes_from_the_stored_lines():
    """No page without lines, and none that was edited by hand."""
    lines, path = reference.stored(reference.STORED), reference.STORED.with_suffix(".md")
    written = reference_page.page(lines, reference.rows(), reference.STORED.name) if lines else None
    assert (path.read_text() if path.exists() else None) == written


def test_the_stored_lines_are_of_real_images_at_the_settings_that_the_page_states():
    table, lines = reference.rows(), reference.stored(reference.STORED)
    assert len({(line["row"], line["seed"]) for line in lines}) == len(lines)
    for line in lines:
        assert {key: line[key] for key in reference.Row._fields} == table[line["row"]]._asdict()
        assert line["real"] and (line["images"], line["test_images"]) == (60_000, 10_000)
        assert (line["batch"], line["k"], line["k_images"], line["draws"]) == (128, 5000, 100, 10)


def test_the_stored_numbers_keep_to_the_bounds():
    for line in reference.stored(reference.STORED):
        np.testing.assert_allclose(line["rate"] + line["distortion"], line["negative_elbo"], rtol=1e-6)
        assert line["negative_iwae"] < line["negative_elbo"] and line["rate"] > 1
        assert 1 <= line["active_units"] <= line["latent_dim"]


def test_the_two_dimensional_rows_come_first_and_no_setting_is_left_out():
    table = reference.rows()
    course = {name: row for name, row in table.items() if row.networks in ("dense", "conv")}
    assert len(set(course.values())) == len(course) == 2 * 2 * 4 * 2
    assert all(row.latent_dim == 2 for row in list(table.values())[:8])


@pytest.mark.parametrize("name", ["fashion-stochastic-dense-10", "mnist-static-conv-2", "burda-25", "pythae-50"])
def test_a_row_runs_at_tiny_settings(name, few_digits, short):
    line = json.loads(json.dumps(reference.run(name, 0, few_digits, k=20, k_images=20)))
    assert line["row"] == name and line["k"] == 20 and not line["real"] and line["images"] == 256
    np.testing.assert_allclose(line["rate"] + line["distortion"], line["negative_elbo"], rtol=1e-6)
    assert 100 < line["negative_iwae"] < line["negative_elbo"] < 784 * np.log(2) + 10


@pytest.mark.parametrize("pixels", ["static", "stochastic", "once"])
def test_pixels_are_binary_and_drawn_as_often_as_they_say(pixels, few_digits):
    row = reference.Row("mnist", pixels, "dense", 2, 1, 1e-3)
    images = few_digits.train_images[:1].repeat(reference.BATCH, axis=0)  # one image, whatever the order
    batches = reference.training_batches(row, images, seed=3)
    first, second = (np.concatenate([batch.numpy() for batch in batches]) for _ in range(2))
    assert set(np.unique(first)) == {0.0, 1.0}
    assert np.array_equal(first.mean(axis=0), second.mean(axis=0)) == (pixels != "stochastic")
    expected = data.binarise(images[0]) if pixels == "static" else data.to_float(images[0])
    assert np.abs(first.mean(axis=0) - expected).max() < (1e-6 if pixels == "static" else 0.25)


def test_the_bound_of_all_images_is_the_elbo_less_the_distance_that_some_have(few_digits, short):
    """With all images among the measured ones, nothing is extrapolated: the direct estimate is the reference."""
    from course_utils import metrics, models

    encoder, decoder = reference.NETWORKS["dense"](2)
    vae = models.VAE(models.posterior_of(encoder), models.bernoulli_of(decoder), models.standard_normal(2))
    test = data.binarise(few_digits.test_images[:100])
    measured = reference.measure(vae, test, k=50, k_images=100)
    direct = metrics.importance_weighted_bound(vae, test, 50).mean
    assert abs(measured["negative_iwae"] + direct) < 0.05


@pytest.fixture(scope="module")
def line(few_digits):
    """A line as a tiny run leaves it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "rows", one_epoch)
        return reference.run("mnist-static-dense-2", 0, few_digits, k=20, k_images=20)


def test_what_is_missing_is_run_and_stored_line_by_line_and_what_is_there_is_not(line, tmp_path, monkeypatch):
    asked, path = [], tmp_path / "mine.jsonl"
    reference.store(path, [{**line, "seed": 1}])

    def run(name, seed, image_set):
        asked.append(seed)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return {**line, "seed": seed}

    monkeypatch.setattr(reference, "run", run)
    monkeypatch.setattr(reference.data, "load_mnist", lambda source: None)
    monkeypatch.setattr(sys, "argv", ["reference.py", "--rows", line["row"], "--results", str(path)])
    with pytest.raises(KeyboardInterrupt):
        reference.main()
    assert [stored["seed"] for stored in reference.stored(path)] == [1, 0]
    reference.main()
    assert asked == [0, 2, 2] and [stored["seed"] for stored in reference.stored(path)] == [1, 0, 2]


def test_the_page_has_means_with_their_spread_and_says_what_was_not_run(line):
    name, shifts = line["row"], (0.0, 3.0, 6.0)
    lines = [{**line, "seed": seed, "negative_elbo": 150 + shift} for seed, shift in enumerate(shifts)]
    cross = {**line, **reference.rows()["burda-25"]._asdict(), "row": "burda-25", "active_units": 19}
    page = reference_page.page([*lines, cross], reference.rows(), "reference.jsonl")
    assert f"| {name} | 153.0 (150.0 to 156.0) |" in page and f"--rows {name} " in page
    assert "\n| burda-25 | two layers of 200 tanh units each way, 25 epochs |" in page and "86.76, 19 active" in page
    missing = page.split("## Not run yet")[1]
    done = {name, "burda-25"}
    assert all((f"`{other}`" in missing) == (other not in done) for other in reference.rows())
    assert len({row.count("|") for row in page.splitlines() if row.startswith(f"| {name}")}) == 1


@pytest.mark.parametrize("levels", [0, 1, 4])
def test_the_wavelet_basis_is_orthonormal(levels):
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 3, 64, 64, 3)).astype(np.float32)
    bands_of = [np.concatenate(bands.haar(images, levels), axis=1) for images in (one, other)]
    assert bands_of[0].shape == (3, 64 * 64 * 3)
    products = [np.sum(a * b, axis=1) for a, b in (bands_of, [x.reshape(3, -1) for x in (one, other)])]
    np.testing.assert_allclose(*products, atol=0.05)
    assert len(bands.haar(one, levels)) == levels + 1
    flat = bands.haar(np.ones((1, 64, 64, 3), np.float32), levels)
    assert all(np.all(detail == 0) for detail in flat[:-1]) and np.allclose(flat[-1], 2.0**levels)


def test_every_fitted_density_has_the_mean_and_the_covariance_of_the_codes():
    known, rng = pretrained.codes(), np.random.default_rng(0)
    sets = draws.codes_of(known, 8_000, rng)
    codes = known.train_mean + known.train_sd * rng.standard_normal(known.train_mean.shape)
    first = np.linalg.eigh(np.cov(codes.T))[1][:, -3:]  # the directions of most variance
    assert np.var(sets.pop("N(0, I)") @ first) < 0.2 * np.var(codes @ first)
    assert len(sets) == 2 + len(draws.WIDTHS)
    for name, drawn in sets.items():
        np.testing.assert_allclose(drawn.var(axis=0).sum(), codes.var(axis=0).sum(), rtol=0.04, err_msg=name)
        np.testing.assert_allclose(np.cov((drawn @ first).T), np.cov((codes @ first).T), atol=8, err_msg=name)
        assert np.abs((drawn - codes.mean(axis=0)).mean(axis=0)).max() < 0.5, name
