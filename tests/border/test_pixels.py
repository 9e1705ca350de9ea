"""pixels: images that fit pass, others get the sentence, and what the sentence advises works."""

import numpy as np
import pytest
import tensorflow as tf

from course_utils import data
from course_utils.border import pixels

GREY = np.random.default_rng(0).random((6, 8, 10, 1)).astype(np.float32)
BINARY = (GREY > 0.5).astype(np.float32)
BYTES = np.rint(255 * GREY).astype(np.uint8)
COLOUR = np.concatenate([GREY] * 3, axis=-1)
SHAPE = (8, 10, 1)


@pytest.mark.parametrize(
    "images", [GREY, GREY.astype(np.float64), GREY.astype(np.float16), GREY > 0.5, tf.constant(GREY), GREY[:1]]
)
def test_images_that_fit_pass(images):
    pixels.check_images(images, "here", SHAPE)
    pixels.check_images(images, "here", (None, None, 1))
    pixels.check_images(images, "here")


def test_stored_pixels_and_binary_ones_pass_where_they_belong():
    pixels.check_images(BYTES, "here", SHAPE, uint8=True)
    pixels.check_images(BINARY, "here", SHAPE, binary=True)
    pixels.check_images(GREY > 0.5, "here", SHAPE, binary=True)
    pixels.check_images((255 * BINARY).astype(np.uint8), "here", SHAPE, uint8=True, binary=True)


# what is handed in, the shape that is wanted, what the message says of it, and what its advice makes of the images
WRONG_SHAPES = {
    "no channel axis": (GREY[..., 0], SHAPE, r"\(6, 8, 10\).*images\[\.\.\., None\]", lambda images: images[..., None]),
    "no channel axis, unknown size": (GREY[..., 0], None, r"images\[\.\.\., None\]", lambda images: images[..., None]),
    "no channel axis, colour": (
        GREY[..., 0],
        (8, 10, 3),
        r"np\.stack\(\[images\] \* 3, axis=-1\)",
        lambda images: np.stack([images] * 3, -1),
    ),
    "one image": (GREY[0], SHAPE, r"image\[None\]", lambda image: image[None]),
    "rows": (GREY.reshape(6, -1), SHAPE, r"reshape\(-1, 8, 10, 1\)", lambda images: images.reshape(-1, 8, 10, 1)),
    "channels first": (
        np.moveaxis(COLOUR, -1, 1),
        (8, 10, 3),
        r"np\.moveaxis\(images, 1, -1\)",
        lambda images: np.moveaxis(images, 1, -1),
    ),
    "colour": (
        COLOUR,
        SHAPE,
        r"mean\(axis=-1, keepdims=True\).*\(8, 10, 3\)",
        lambda images: images.mean(axis=-1, keepdims=True),
    ),
    "another size": (
        GREY,
        (5, 7, 1),
        r"tf\.image\.resize\(images, \(5, 7\)\)\.numpy\(\).*\(8, 10, 1\)",
        lambda images: tf.image.resize(images, (5, 7)).numpy(),
    ),
    "a list": (list(GREY), SHAPE, r"list of 6.*np\.stack\(images\)", np.stack),
}


@pytest.mark.parametrize("name", WRONG_SHAPES)
def test_a_wrong_shape_is_refused_and_the_advice_taken_is_right(name):
    images, shape, message, advice = WRONG_SHAPES[name]
    with pytest.raises(ValueError, match=f"^here: .*{message}"):
        pixels.check_images(images, "here", shape)
    pixels.check_images(advice(images), "here", shape)


WRONG_PIXELS = {
    "uint8": (BYTES, {}, r"uint8.*data\.to_float\(images\)", data.to_float),
    "uint8, Bernoulli": (BYTES, {"binary": True}, r"data\.binarise\(images\) for a Bernoulli", data.binarise),
    "integers": (
        BINARY.astype(int),
        {},
        r"int64.*images\.astype\(np\.float32\)",
        lambda images: images.astype(np.float32),
    ),
    "0 to 255": (
        255 * GREY,
        {},
        r"data\.to_float\(images\.astype\(np\.uint8\)\)",
        lambda images: data.to_float(images.astype(np.uint8)),
    ),
    "-1 to 1": (2 * GREY - 1, {}, r"\(images \+ 1\) / 2", lambda images: (images + 1) / 2),
    "grey, Bernoulli": (GREY, {"binary": True}, r"grey pixels.*data\.binarise\(images\)", data.binarise),
    "NaN": (
        np.where(GREY == GREY.max(), np.nan, GREY),
        {},
        r"NaN.*images\[np\.isfinite",
        lambda images: images[np.isfinite(images).all(axis=(1, 2, 3))],
    ),
    "infinite": (
        np.where(GREY == GREY.max(), -np.inf, GREY),
        {},
        "infinite",
        lambda images: images[np.isfinite(images).all(axis=(1, 2, 3))],
    ),
    "floats where bytes belong": (
        GREY,
        {"uint8": True},
        r"float32.*np\.rint\(255 \* images\)\.astype\(np\.uint8\)",
        lambda images: np.rint(255 * images).astype(np.uint8),
    ),
    "floats of 0 to 255 where bytes belong": (
        BYTES.astype(np.float32),
        {"uint8": True},
        r"of 0 to 255: images\.astype\(np\.uint8\)",
        lambda images: images.astype(np.uint8),
    ),
    "grey bytes, Bernoulli": (
        BYTES,
        {"uint8": True, "binary": True},
        "transform='binarise'",
        lambda images: (255 * data.binarise(images)).astype(np.uint8),
    ),
}


@pytest.mark.parametrize("name", WRONG_PIXELS)
@pytest.mark.parametrize("kind", [np.asarray, tf.constant], ids=["array", "tensor"])
def test_wrong_pixels_are_refused_and_the_advice_taken_is_right(name, kind):
    images, options, message, advice = WRONG_PIXELS[name]
    with pytest.raises(ValueError, match=f"^here: .*{message}"):
        pixels.check_images(kind(images), "here", SHAPE, **options)
    pixels.check_images(advice(images), "here", SHAPE, **options)


def test_one_bad_pixel_far_behind_is_found():
    images = np.zeros((2500, 2, 2, 1), np.float32)
    images[2300, 1, 1] = np.nan
    with pytest.raises(ValueError, match="in images 2000 to 2499"):
        pixels.check_images(images, "here")
    images[2300, 1, 1] = 0.5
    pixels.check_images(images, "here")
    with pytest.raises(ValueError, match="grey pixels"):
        pixels.check_images(images, "here", binary=True)


@pytest.mark.parametrize(
    "thing, message",
    [
        (np.zeros(60_000, int), r"shape \(60000,\).*look like labels"),
        ((GREY, np.zeros(6)), "tuple of 2.*hand in the images alone"),
        (None, "NoneType"),
        ("fashion", "str where an array"),
        (tf.data.Dataset.from_tensors(GREY), "Dataset where an array"),
        (np.full((2, 8, 10, 1), "a"), "type string"),
        (np.zeros((0, 8, 10, 1), np.float32), "no images"),
        (np.zeros((4, 8, 0, 1), np.float32), "no images"),
        (np.zeros((2, 3, 8, 10, 1), np.float32), "Images have four axes"),
        (np.zeros((), np.float32), "Images have four axes"),
    ],
)
def test_what_is_no_image_is_refused(thing, message):
    with pytest.raises(ValueError, match=f"^here: .*{message}"):
        pixels.check_images(thing, "here", SHAPE)


def test_an_image_set_is_told_where_its_images_are():
    whole = data.ImageSet(BYTES, np.zeros(6), BYTES, np.zeros(6), ("a",), "set", "drawn")
    with pytest.raises(ValueError, match=r"ImageSet where.*\.train_images and \.test_images"):
        pixels.check_images(whole, "here")
    pixels.check_images(whole.train_images, "here", uint8=True)


@pytest.mark.parametrize("kind", [np.asarray, tf.constant, tf.Variable], ids=["array", "tensor", "variable"])
def test_bytes_are_refused_where_a_network_would_take_them_and_features_are_not(kind):
    for images in (BYTES, BYTES.astype(np.float32), BYTES[..., 0]):
        with pytest.raises(ValueError, match="^here: "):
            pixels.refuse_bytes(kind(images), "here")
    for images in (GREY, GREY + 0.5, 3 * GREY - 1, GREY > 0.5, 9 * GREY[:, 0, :, 0], np.arange(6)):
        pixels.refuse_bytes(kind(images), "here")
