"""plots: mosaics pixel by pixel, the note on drawn images, labels that do not overlap."""

from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from course_utils import plots


@pytest.fixture(autouse=True)
def clean():
    yield
    plots.label_source(SimpleNamespace(is_real=True, name=""))
    plt.close("all")


def test_a_mosaic_reads_left_to_right_and_top_to_bottom():
    images = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((6, 2, 3, 1), np.uint8)
    mosaic = plots.mosaic(images, columns=3)
    assert mosaic.shape == (4, 9)
    np.testing.assert_array_equal(mosaic[::2, ::3], [[0, 1, 2], [3, 4, 5]])


def test_a_gap_is_white_and_only_between_images():
    mosaic = plots.mosaic(np.zeros((4, 2, 2, 1), np.uint8), columns=2, gap=1)
    assert mosaic.shape == (5, 5)
    assert np.all(mosaic[2] == 255) and np.all(mosaic[:, 2] == 255) and mosaic.sum() == 9 * 255


def test_floats_become_bytes_and_colour_keeps_its_channels():
    mosaic = plots.mosaic(np.full((2, 2, 2, 3), 0.5), columns=2)
    assert mosaic.shape == (2, 4, 3) and mosaic.dtype == np.uint8 and np.all(mosaic == 128)
    with pytest.raises(ValueError, match="5 images do not fill rows of 2"):
        plots.mosaic(np.zeros((5, 2, 2, 1)), columns=2)


def test_figures_of_drawn_images_say_so_and_figures_of_real_ones_do_not():
    plots.label_source(SimpleNamespace(is_real=False, name="Fashion-MNIST"))
    assert [text.get_text() for text in plt.figure().texts] == ["images drawn in code, not Fashion-MNIST"]
    plots.label_source(SimpleNamespace(is_real=True, name="Fashion-MNIST"))
    assert plt.figure().texts == [] and plots.source_note() == ""


def test_class_names_in_the_plane_do_not_cover_each_other():
    codes = np.random.default_rng(0).standard_normal((1000, 2))
    labels = np.arange(1000) % 10
    figure, axis = plt.subplots(figsize=(6, 6))
    plots.latent_plane(axis, codes, labels, [f"class {index}" for index in range(10)], "plane")
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in axis.texts]
    assert len(boxes) == 10
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:index])


def test_rows_carry_their_names_and_columns_their_titles():
    images = np.random.default_rng(0).random((4, 28, 28, 1))
    plots.compare_rows({"input": images, "output": images}, list("abcd"), title="two rows")
    axes = plt.gcf().axes
    assert [axes[0].get_ylabel(), axes[4].get_ylabel()] == ["input", "output"]
    assert [axis.get_title() for axis in axes[:4]] == list("abcd")
    assert plt.gcf().get_suptitle() == "two rows"


def test_grey_levels_are_not_stretched():
    plots.show_images(np.full((1, 4, 4, 1), 100, np.uint8), columns=1)
    assert plt.gcf().axes[0].images[0].get_clim() == (0, 255)


def test_a_grid_of_wide_images_leaves_no_room_between_its_rows():
    heights = []
    for width in (28, 56):
        plots.show_images(np.zeros((9, 28, width, 1)), columns=3, size=2)
        heights.append(plt.gcf().get_figheight() - 0.45)
    assert heights == pytest.approx([6, 3])


def test_curves_have_one_line_a_name():
    plots.curves({"loss": [3, 2, 1], "val_loss": [3, 3, 3]}, "title", "nats per image")
    axis = plt.gcf().axes[0]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["loss", "val_loss"]
    assert axis.get_ylabel() == "nats per image"


def test_histograms_have_area_one_and_follow_their_density():
    import tensorflow_probability as tfp

    normal = tfp.distributions.Normal(1.0, 2.0)
    draws = np.random.default_rng(0).normal(1, 2, (100, 500))
    plots.compare_histograms({"draws": draws, "half as wide": 1 + (draws - 1) / 2}, normal, xlabel="x")
    axis = plt.gcf().axes[0]
    names = [text.get_text() for text in axis.get_legend().get_texts()]
    assert names == ["draws", "half as wide", "density asked for"] and axis.get_xlabel() == "x"
    outlines = [patch.get_path().vertices for patch in axis.patches if not patch.get_fill()]
    assert len(outlines) == 2
    for outline in outlines:
        x, y = outline.T
        np.testing.assert_allclose(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2), 1, atol=0.01)
    places, density = axis.lines[-1].get_data()
    np.testing.assert_allclose(density, normal.prob(places), rtol=1e-5)
