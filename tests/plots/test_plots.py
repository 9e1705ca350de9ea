"""plots: mosaics pixel by pixel, the note on drawn images, labels that do not overlap."""

from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf

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


GREY = np.random.default_rng(0).random((4, 8, 8, 1))
CODES, LABELS, NAMES = np.random.default_rng(0).standard_normal((20, 2)), np.arange(20) % 4, list("abcd")


def plane(codes=CODES, labels=LABELS, class_names=NAMES, **settings):
    axis = plt.figure().add_subplot()
    plots.latent_plane(axis, codes, labels, class_names, **settings)
    return axis


IMAGE_HELPERS = {
    "mosaic": lambda images: plots.mosaic(images, columns=1),
    "show_images": plots.show_images,
    "compare_rows": lambda images: plots.compare_rows({"right": GREY, "row": images}),
}
NO_IMAGES = [
    (GREY[0], r"\(8, 8, 1\).*image\[None\]"),
    (GREY[..., 0], r"\(4, 8, 8\).*images\[\.\.\., None\]"),
    (GREY[..., None], r"\(4, 8, 8, 1, 1\)"),
    (np.zeros((4, 3, 8, 8)), "8 channels"),
    (np.zeros((4, 8, 8, 2)), "2 channels"),
    (GREY[:0], r"there are none, the shape is \(0, 8, 8, 1\)"),
    ([], "there are none"),
    (255 * GREY + 2, "Divide bytes by 255"),
    (GREY - 0.5, "through a sigmoid"),
    (np.where(GREY > 0.5, np.nan, GREY), "of 256 numbers are NaN or infinite"),
    (np.where(GREY > 0.5, np.inf, GREY), "of 256 numbers are NaN or infinite"),
    (np.full((4, 8, 8, 1), 100), r"type is int64.*astype\(np.uint8\)"),
    (np.full((4, 8, 8, 1), "a"), "type is <U1"),
    ([GREY[0], GREY[0, :4]], "parts differ in shape"),
]


@pytest.mark.parametrize("helper", IMAGE_HELPERS)
@pytest.mark.parametrize(("images", "words"), NO_IMAGES)
def test_what_is_no_set_of_images_is_refused_with_the_way_out(helper, images, words):
    with pytest.raises(ValueError, match=f"{helper}: .*images: .*{words}"):
        IMAGE_HELPERS[helper](images)
    assert not plt.get_fignums(), "an empty figure stays behind"


@pytest.mark.parametrize("helper", IMAGE_HELPERS)
def test_the_advice_on_images_is_right(helper):
    draw = IMAGE_HELPERS[helper]
    for right in (GREY[0][None], GREY[..., 0][..., None], (255 * GREY) / 255, np.clip(GREY - 0.5, 0, 1)):
        draw(right)
    draw(np.full((4, 8, 8, 1), 100).astype(np.uint8))


@pytest.mark.parametrize("kind", [bool, np.float16, np.float32, np.float64, tf.bfloat16.as_numpy_dtype])
def test_images_of_every_number_type_are_drawn_as_they_are(kind):
    for channels in (1, 3, 4):
        binary = np.indices((2, 4, 4, channels)).sum(axis=0) % 2
        images = binary.astype(kind)
        np.testing.assert_array_equal(plots.mosaic(images, 2), plots.mosaic((255 * binary).astype(np.uint8), 2))
        plots.show_images(images, columns=2)
        drawn = plt.gcf().axes[0].images[0]
        np.testing.assert_array_equal(drawn.get_array(), np.squeeze(binary[0], -1) if channels == 1 else binary[0])
        assert channels > 1 or drawn.get_clim() == (0, 1)
    np.testing.assert_array_equal(plots.mosaic(tf.constant(GREY), 2), plots.mosaic(GREY, 2))


def test_a_rounding_error_beyond_one_is_no_mistake(recwarn):
    images = np.full((2, 4, 4, 3), 1 + 1e-6)
    assert plots.mosaic(images, 2).min() == 255
    plots.show_images(images)
    plt.gcf().canvas.draw()
    assert not [warning for warning in recwarn if "lipping" in str(warning.message)]


@pytest.mark.parametrize("columns", [0, -1, 2.0, "two", None, True])
def test_columns_are_a_whole_number_of_at_least_one(columns):
    for helper in (plots.mosaic, plots.show_images):
        with pytest.raises(ValueError, match="columns is .* a whole number of at least 1"):
            helper(GREY, columns=columns)
    with pytest.raises(ValueError, match="gap is -1"):
        plots.mosaic(GREY, 2, gap=-1)
    assert plots.mosaic(GREY, np.int64(2)).shape == (16, 16)


@pytest.mark.parametrize("size", [0, -1, np.nan, np.inf, "large"])
def test_a_size_is_above_zero(size):
    for helper in (plots.show_images, lambda images, size: plots.compare_rows({"row": images}, size=size)):
        with pytest.raises(ValueError, match="size is .* a number above 0"):
            helper(GREY, size=size)


def test_there_is_a_title_for_each_image_or_none_at_all():
    for titles in (list("abc"), list("abcde"), []):
        with pytest.raises(ValueError, match=f"titles: {len(titles)} for 4 images. Hand in one for each, or None"):
            plots.show_images(GREY, titles)
        with pytest.raises(ValueError, match=f"column_titles: {len(titles)} for 4 columns"):
            plots.compare_rows({"row": GREY}, titles)
    plots.show_images(GREY, np.array(list("abcd")), columns=3)
    assert [axis.get_title() for axis in plt.gcf().axes] == ["a", "b", "c", "d", "", ""]
    plots.show_images(GREY, None)


def test_more_images_than_anybody_sees_are_refused_before_they_take_minutes():
    many = np.zeros((1001, 2, 2, 1), np.uint8)
    for draw in (plots.show_images, lambda images: plots.compare_rows({"upper": images[:500], "lower": images[500:]})):
        with pytest.raises(ValueError, match=r"1,001 images; a figure takes 1,000 at most"):
            draw(many)
    plots.show_images(many[:20])
    assert plots.mosaic(many, columns=13).shape == (154, 26)


def test_a_shorter_row_is_drawn_whole_and_ends_earlier():
    plots.compare_rows({"long": GREY, "short": GREY[:2]}, list("abcd"))
    drawn = [len(axis.images) for axis in plt.gcf().axes]
    assert drawn == [1, 1, 1, 1, 1, 1, 0, 0]
    assert [axis.axison for axis in plt.gcf().axes[4:]] == [True, True, False, False]


def test_names_and_values_come_in_a_dictionary():
    for helper in (plots.compare_rows, plots.compare_histograms, lambda rows: plots.curves(rows, "title", "nats")):
        with pytest.raises(ValueError, match="a list came. A dictionary from names"):
            helper([GREY])
        with pytest.raises(ValueError, match="the dictionary is empty"):
            helper({})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"codes": CODES[:, :1]}, r"shape \(20, 1\); \(number, 2\).*codes\[:, :2\]"),
        ({"codes": np.zeros((20, 3))}, r"shape \(20, 3\)"),
        ({"codes": CODES.T}, r"shape \(2, 20\)"),
        ({"codes": CODES.ravel()}, r"shape \(40,\)"),
        ({"codes": CODES[:0], "labels": LABELS[:0]}, "there are none"),
        ({"codes": np.where(CODES > 1, np.nan, CODES)}, "of 40 numbers are NaN"),
        ({"codes": CODES.astype(str)}, "numbers are needed"),
        ({"labels": LABELS[:19]}, r"shape \(19,\) for 20 codes"),
        ({"labels": LABELS[:, None]}, r"shape \(20, 1\) for 20 codes"),
        ({"labels": np.eye(4)[LABELS]}, r"labels.argmax\(axis=1\)"),
        ({"labels": LABELS + 1}, "5 of 20 labels, 4 for one.*from 0 to 3"),
        ({"labels": LABELS - 1}, "5 of 20 labels, -1 for one"),
        ({"labels": LABELS + 0.5}, "20 of 20 labels, 0.5 for one"),
        ({"labels": np.array(NAMES)[LABELS]}, "labels: the type is <U1"),
        ({"class_names": []}, "class_names is empty"),
        ({"class_names": [str(index) for index in range(11)]}, "11 classes, and 10 colours"),
    ],
)
def test_a_latent_plane_of_other_codes_or_labels_is_refused(wrong, words):
    with pytest.raises(ValueError, match=f"latent_plane: .*{words}"):
        plane(**wrong)


def test_the_advice_on_codes_and_labels_is_right():
    for right in (
        {"codes": np.zeros((20, 3))[:, :2]},
        {"labels": np.eye(4)[LABELS].argmax(axis=1)},
        {"labels": LABELS[:19], "codes": CODES[:19]},
        {"labels": LABELS.astype(float)},
        {"labels": LABELS.astype(np.uint8)},
        {"labels": LABELS % 2},
    ):
        assert sum(len(cloud.get_offsets()) for cloud in plane(**right).collections) == len(right.get("codes", CODES))


def test_a_latent_plane_goes_into_one_axes():
    _, axes = plt.subplots(1, 2)
    with pytest.raises(ValueError, match=r"axis is a ndarray; .*axes\[0\]"):
        plots.latent_plane(axes, CODES, LABELS, NAMES)
    plots.latent_plane(axes[0], CODES, LABELS, NAMES)
    assert len(axes[0].collections) == 4


@pytest.mark.parametrize("value", [0.0, 3.0, -40.0, 1e-3])
def test_classes_of_a_collapsed_code_keep_readable_names(value):
    axis = plane(codes=np.full((20, 2), value))
    axis.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in axis.texts]
    assert not any(box.overlaps(other) for index, box in enumerate(boxes) for other in boxes[:index])


def test_a_set_is_named_by_the_set_and_not_by_its_images():
    with pytest.raises(ValueError, match="a ndarray does not say where its images come from"):
        plots.label_source(GREY)


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


def test_curves_of_unequal_lengths_are_each_drawn_whole():
    plots.curves({"short": [3, 2], "long": [3, 2, 1]}, "title", "nats")
    assert [len(line.get_xdata()) for line in plt.gcf().axes[0].lines] == [2, 3]


def test_many_curves_are_all_drawn_and_all_differ():
    plots.curves({str(index): [1, 2, index] for index in range(12)}, "title", "nats")
    looks = [(line.get_color(), line.get_marker()) for line in plt.gcf().axes[0].lines]
    assert len(set(looks)) == 12


def test_a_curve_says_what_it_cannot_show():
    plots.curves({"loss": [3, np.nan, np.inf], "val_loss": [3, 2, 1]}, "title", "nats")
    names = [text.get_text() for text in plt.gcf().axes[0].get_legend().get_texts()]
    assert names == ["loss (2 of 3 not finite)", "val_loss"]
    plots.curves({"loss": [np.nan, np.nan]}, "title", "nats")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "there are none"),
        ([[1, 2], [3, 4]], r"shape \(2, 2\)"),
        (3.0, r"shape \(\)"),
        (["a"], "numbers are needed"),
    ],
)
def test_a_history_without_one_number_an_epoch_is_refused(values, words):
    with pytest.raises(ValueError, match=f"curves: 'loss'.*{words}"):
        plots.curves({"val_loss": [1, 2], "loss": values}, "title", "nats")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "there are none"),
        (np.array([1, np.nan]), "1 of 2 numbers are NaN or infinite"),
        (np.array([1, np.inf]), "1 of 2 numbers are NaN or infinite"),
        (["a"], "numbers are needed"),
        (np.array([1j]), "numbers are needed"),
    ],
)
def test_a_sample_that_has_no_histogram_is_refused(values, words):
    with pytest.raises(ValueError, match=f"compare_histograms: 'draws'.*{words}"):
        plots.compare_histograms({"right": [1.0, 2.0], "draws": values})


def area(patch):
    x, y = patch.get_path().vertices.T
    return np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "samples",
    [
        {"constant": np.zeros(100)},
        {"constant": np.full(100, 1e20)},
        {"nearly": 1 + 1e-16 * np.arange(100)},
        {"one number": [3.0]},
        {"two numbers": [0.0, 1.0]},
        {"whole": np.arange(100), "bytes": np.arange(100, dtype=np.uint8), "flags": np.arange(100) > 50},
        {"many": np.random.default_rng(0).standard_normal(20_000), "few, far away": [100.0, 101.0, 102.0]},
        {"tiny": 1e-12 * np.random.default_rng(0).standard_normal(1000)},
    ],
    ids=lambda samples: next(iter(samples)),
)
def test_every_sample_is_seen_with_area_one(samples):
    plots.compare_histograms(samples)
    outlines = [patch for patch in plt.gcf().axes[0].patches if not patch.get_fill()]
    assert len(outlines) == len(samples)
    for outline in outlines:
        assert area(outline) == pytest.approx(1, abs=0.01)


def test_a_fourth_sample_a_vector_density_and_no_bins_are_refused():
    import tensorflow_probability as tfp

    draws = np.random.default_rng(0).standard_normal(100)
    with pytest.raises(ValueError, match="4 samples; more than three"):
        plots.compare_histograms(dict.fromkeys("abcd", draws))
    with pytest.raises(ValueError, match=r"density is a str; a distribution is needed"):
        plots.compare_histograms({"draws": draws}, "normal")
    with pytest.raises(ValueError, match=r"bins is 0; a whole number of at least 1"):
        plots.compare_histograms({"draws": draws}, bins=0)
    with pytest.raises(ValueError, match=r"shape \(3, 400\) for 400 numbers"):
        plots.compare_histograms({"draws": draws}, tfp.distributions.Normal([[0.0], [1.0], [2.0]], 1.0))
    plots.compare_histograms(dict.fromkeys("abc", draws), tfp.distributions.Normal(0.0, 1.0))
