"""plots.diagrams: layers as they are, the bottleneck where it is, and one sentence for what cannot be drawn."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import FancyBboxPatch

from course_utils import plots
from course_utils.plots.style import BLUE, GREEN, ORANGE

PUBLISHED = (784, 256, 64, 2, 64, 256, 784)


@pytest.fixture(autouse=True)
def clean():
    yield
    plt.close("all")


def bars(axis):
    return [patch for patch in axis.patches if isinstance(patch, FancyBboxPatch)]


def test_a_bar_a_layer_in_order_higher_for_more_numbers_and_the_smallest_is_the_code():
    plots.autoencoder_diagram(PUBLISHED, title="published")
    axis = plt.gca()
    heights = [bar.get_height() for bar in bars(axis)]
    assert len(heights) == 7 and np.argmin(heights) == 3 and heights == heights[::-1]
    assert heights[0] > heights[1] > heights[2] > heights[3] > 0
    colours = [matplotlib.colors.to_hex(bar.get_facecolor()).upper() for bar in bars(axis)]
    assert colours == [BLUE] * 3 + [GREEN] + [ORANGE] * 3
    written = [text.get_text() for text in axis.texts]
    assert [word for word in written if word.isdigit()] == [str(size) for size in PUBLISHED]
    assert axis.get_title() == "published" and not axis.images


def test_images_stand_on_their_sides_and_inside_the_picture():
    image = np.linspace(0, 1, 784, dtype=np.float32).reshape(28, 28, 1)
    plots.autoencoder_diagram((784, 8, 784), image, 1 - image)
    axis = plt.gca()
    left, right = axis.images
    np.testing.assert_allclose(left.get_array() / 255, image[..., 0], atol=0.003)
    np.testing.assert_allclose(right.get_array() / 255, 1 - image[..., 0], atol=0.003)
    ends = axis.get_xlim()
    assert ends[0] < left.get_extent()[0] < left.get_extent()[1] < right.get_extent()[0]
    assert right.get_extent()[1] < ends[1]


def test_a_vae_has_a_mean_and_a_log_variance_and_one_code_that_is_computed_from_them():
    plots.vae_diagram((784, 64, 2, 64, 784), title="a VAE")
    axis = plt.gca()
    codes = [bar for bar in bars(axis) if bar.get_height() == min(bar.get_height() for bar in bars(axis))]
    colours = sorted(matplotlib.colors.to_hex(bar.get_facecolor()).upper() for bar in codes)
    assert len(bars(axis)) == 7 and colours == sorted([BLUE, BLUE, GREEN])
    (mean, log_variance), (z,) = codes[:2], codes[2:]
    assert mean.get_x() == log_variance.get_x() < z.get_x()
    assert mean.get_y() > z.get_y() > log_variance.get_y()
    written = " ".join(text.get_text() for text in axis.texts)
    assert all(word in written for word in ("mu", "ell", "varepsilon", "KL", "log"))


@pytest.mark.parametrize("diagram", [plots.autoencoder_diagram, plots.vae_diagram])
def test_what_is_written_does_not_overlap(diagram):
    diagram((784, 64, 2, 64, 784), np.zeros((28, 28, 1)), np.zeros((28, 28, 1)), "a title")
    figure = plt.gcf()
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in plt.gca().texts if text.get_text()]
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:index])


@pytest.mark.parametrize("diagram", [plots.autoencoder_diagram, plots.vae_diagram])
@pytest.mark.parametrize("sizes", [(), (784,), (784, 256, 64), (2, 64, 784), (784, 8, 8, 784), (9, 9, 9)])
def test_layers_without_one_bottleneck_are_refused(diagram, sizes):
    with pytest.raises(ValueError, match="One between the first and the last has to be the smallest: the bottleneck"):
        diagram(sizes)


def test_sizes_and_images_that_are_none_are_refused():
    with pytest.raises(ValueError, match="size of a layer is 2.5; a whole number"):
        plots.autoencoder_diagram((784, 2.5, 784))
    with pytest.raises(ValueError, match="autoencoder_diagram: an image: values run from 0 to 3"):
        plots.autoencoder_diagram((784, 2, 784), np.linspace(0, 3, 784).reshape(28, 28, 1))
