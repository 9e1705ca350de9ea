"""animation: the GIF's time, loop, frames, size and alternatives."""

import base64
import io

import imageio.v3 as iio
import IPython.display
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from course_utils import animation

FRAMES = [np.full((40, 60), value, np.uint8) for value in (0, 80, 160, 240)]


def total_milliseconds(encoded):
    picture, total = Image.open(io.BytesIO(encoded)), 0
    for index in range(picture.n_frames):
        picture.seek(index)
        total += picture.info["duration"]
    return total


def test_frames_stand_for_milliseconds_and_the_last_is_held():
    assert total_milliseconds(animation.gif(FRAMES, milliseconds=200, hold=1000)) == 3 * 200 + 1000


def test_identical_neighbours_are_merged_but_no_time_is_lost():
    assert total_milliseconds(animation.gif([FRAMES[0]] * 3 + FRAMES[1:2], 100, hold=500)) == 3 * 100 + 500


def test_a_film_of_one_picture_is_held():
    assert total_milliseconds(animation.gif(FRAMES[:1], 200, hold=1000)) == 1000
    assert total_milliseconds(animation.gif([FRAMES[0], FRAMES[0].copy()], 200, hold=1000)) == 1200


def test_it_loops_for_ever():
    assert Image.open(io.BytesIO(animation.gif(FRAMES))).info["loop"] == 0


def test_frames_come_back_in_order_and_in_their_greys():
    decoded = iio.imread(animation.gif(FRAMES), extension=".gif", index=...)
    assert [int(frame.mean().round()) for frame in decoded] == pytest.approx([0, 80, 160, 240], abs=4)


def test_colour_frames_keep_their_colours():
    red, blue = np.zeros((2, 30, 30, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    both = np.concatenate([red, blue], axis=1)
    decoded = iio.imread(animation.gif([both[:, ::-1], both]), extension=".gif", index=...)[-1]
    np.testing.assert_allclose(decoded[15, [5, 55]], [[255, 0, 0], [0, 0, 255]], atol=8)


def test_no_frames_and_unequal_frames_are_refused():
    with pytest.raises(ValueError, match="no frames"):
        animation.gif([])
    with pytest.raises(ValueError, match="different shapes"):
        animation.gif([FRAMES[0], FRAMES[0][:10]])


def test_a_file_too_large_for_a_notebook_is_refused():
    noise = np.random.default_rng(0).integers(0, 256, (6, 900, 900), dtype=np.uint8)
    with pytest.raises(ValueError, match="more than 1.5 MB"):
        animation.gif(list(noise), colours=256)


def test_a_caption_adds_a_strip_with_ink():
    page = animation.caption(FRAMES[2], "epoch 3")
    assert page.shape == (74, 60) and page[:34].min() < 100
    np.testing.assert_array_equal(page[34:], FRAMES[2])
    assert animation.caption(np.zeros((40, 60, 3), np.uint8), "epoch 3").shape == (74, 60, 3)


def test_save_replaces_the_file_whole(tmp_path):
    path = tmp_path / "films" / "a.gif"
    for encoded in (animation.gif(FRAMES), animation.gif(FRAMES[:2])):
        assert animation.save(encoded, path).read_bytes() == encoded
    assert list(path.parent.iterdir()) == [path]


def test_show_hands_over_png_so_that_github_and_nbconvert_keep_it():
    bundle, metadata = animation.show(animation.gif(FRAMES), alt="four greys")._repr_mimebundle_()
    assert "image/png" in bundle and metadata["image/png"]["alt"] == "four greys"


def test_show_keeps_its_description_where_image_has_no_alt(monkeypatch):
    class Image734(IPython.display.Image):
        """With the arguments of IPython 7.34, which every Colab runtime has."""

        def __init__(
            self, data=None, url=None, filename=None, format=None, embed=None, width=None, height=None, retina=False,
            unconfined=False, metadata=None,
        ):  # fmt: skip
            super().__init__(data, url, filename, format, embed, width, height, retina, unconfined, metadata)

    monkeypatch.setattr(animation, "Image", Image734)
    encoded = animation.gif(FRAMES)
    bundle, metadata = animation.show(encoded, alt="four greys")._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]) == encoded and metadata["image/png"] == {"alt": "four greys"}


def test_booleans_and_floats_become_the_film_that_bytes_would():
    pattern = np.indices((40, 60)).sum(axis=0) % 7 < 3
    bytes_ = [255 * pattern.astype(np.uint8), 255 - 255 * pattern.astype(np.uint8)]
    expected = animation.gif(bytes_)
    assert animation.gif([pattern, ~pattern]) == expected
    for kind in (np.float16, np.float32, np.float64, tf.bfloat16.as_numpy_dtype):
        assert animation.gif([frame.astype(kind) for frame in (pattern, ~pattern)]) == expected
    assert animation.gif([tf.constant(pattern, tf.float32), tf.constant(~pattern, tf.float32)]) == expected
    np.testing.assert_array_equal(animation.caption(pattern, "film"), animation.caption(bytes_[0], "film"))


def test_grey_floats_keep_their_greys():
    decoded = iio.imread(
        animation.gif([np.full((40, 60), value) for value in (0.0, 0.5, 1.0)]), extension=".gif", index=...
    )
    assert [int(frame.mean().round()) for frame in decoded] == pytest.approx([0, 128, 255], abs=4)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (np.zeros((40, 60, 4), np.uint8), r"four channels.*frame\[\.\.\., :3\]"),
        (np.zeros((40, 60, 1), np.uint8), r"\(40, 60, 1\).*frame\[\.\.\., 0\]"),
        (np.zeros((2, 40, 60, 3), np.uint8), r"\(2, 40, 60, 3\).*plots.mosaic"),
        (np.zeros(40, np.uint8), r"\(40,\)"),
        (np.zeros((0, 60), np.uint8), "there are none"),
        (np.full((40, 60), 200.0), r"run from 200 to 200.*Divide bytes by 255"),
        (np.full((40, 60), -0.5), r"run from -0.5 to -0.5"),
        (np.full((40, 60), np.nan), "2,400 of 2,400 numbers are NaN"),
        (np.full((40, 60), np.inf), "NaN or infinite"),
        (np.full((40, 60), 200), r"type is int64.*astype\(np.uint8\)"),
        ([[0.5, 0.5], [0.5]], "differ in shape"),
        (np.full((40, 60), "a"), "type is <U1"),
    ],
)
def test_a_frame_that_is_no_picture_is_refused_with_the_way_out(frame, words):
    with pytest.raises(ValueError, match=f"gif: frame 1.*{words}"):
        animation.gif([FRAMES[0], frame])
    with pytest.raises(ValueError, match=f"caption: frame.*{words}"):
        animation.caption(frame, "epoch 3")


def test_the_advice_on_frames_is_right():
    assert animation.gif([np.zeros((40, 60, 4), np.uint8)[..., :3]]) == animation.gif([np.zeros((40, 60), np.uint8)])
    assert animation.gif([np.full((40, 60, 1), 80, np.uint8)[..., 0]]) == animation.gif(FRAMES[1:2])
    assert animation.gif([np.full((40, 60), 80).astype(np.uint8)]) == animation.gif(FRAMES[1:2])
    assert animation.gif([np.full((40, 60), 80.0) / 255]) == animation.gif(FRAMES[1:2])
    with pytest.raises(ValueError, match="that of one colour frame. Hand in a list"):
        animation.gif(np.zeros((40, 60, 3), np.uint8))
    assert animation.gif([np.zeros((40, 60, 3), np.uint8)])


def drawn_in_one_buffer():
    buffer, frames, copies = np.zeros((40, 60, 4), np.uint8), [], []
    for value in (0, 80, 160):
        buffer[:] = value
        frames.append(buffer[..., :3])
        copies.append(buffer[..., :3].copy())
    return frames, copies


def test_frames_that_share_a_buffer_are_refused_and_copies_of_them_are_not():
    frames, copies = drawn_in_one_buffer()
    with pytest.raises(ValueError, match="all 3 frames lie in the same memory.*frame.copy()"):
        animation.gif(frames)
    with pytest.raises(ValueError, match="frames 1 to 3 lie in the same memory"):
        animation.gif([FRAMES[0].repeat(3).reshape(40, 60, 3), *frames])
    with pytest.raises(ValueError, match="all 2 frames lie in the same memory"):
        animation.gif([frames[0]] * 2)
    assert animation.gif(copies) == animation.gif(FRAMES[:3])


def test_views_of_different_pictures_and_films_there_and_back_are_right():
    film = np.stack(FRAMES)
    assert animation.gif(film) == animation.gif(list(film)) == animation.gif(FRAMES)
    assert animation.gif([*film, *film[::-1]]) == animation.gif(FRAMES + FRAMES[::-1])
    wide = np.arange(60 * 40, dtype=np.uint8).reshape(40, 60)
    assert animation.gif([wide[:, start : start + 20] for start in range(5)])


@pytest.mark.parametrize("milliseconds", [0, -10, 5, 655_360, 130.5, "fast", True, None])
def test_a_time_that_gif_cannot_hold_is_refused(milliseconds):
    for name in ("milliseconds", "hold"):
        with pytest.raises(ValueError, match=f"gif: {name} is .*from 10 to 655,350 is needed"):
            animation.gif(FRAMES, **{name: milliseconds})


def test_times_are_in_steps_of_ten_milliseconds():
    with pytest.raises(ValueError, match="milliseconds is 135, and GIF counts in steps of 10. Take 130 or 140"):
        animation.gif(FRAMES, 135)
    for right in (130, np.int64(140), 10):
        assert total_milliseconds(animation.gif(FRAMES, right, hold=1000)) == 3 * right + 1000
    with pytest.raises(ValueError, match="655,350 milliseconds together"):
        animation.gif([FRAMES[0]] * 3 + FRAMES[1:2], 400_000)
    assert total_milliseconds(animation.gif(FRAMES[:2], 655_350, hold=655_350)) == 2 * 655_350


@pytest.mark.parametrize("colours", [0, 1, 257, 32.0, "many", True])
def test_a_palette_that_gif_does_not_have_is_refused(colours):
    with pytest.raises(ValueError, match="gif: colours is .*from 2 to 256"):
        animation.gif(FRAMES, colours=colours)
    assert animation.gif(FRAMES, colours=2) and animation.gif(FRAMES, colours=256)


def test_a_long_caption_is_set_smaller_and_one_without_room_is_refused():
    def ink(text, width):
        return animation.caption(np.zeros((4, width), np.uint8), text)[:34] < 100

    assert ink("loss after epoch 3", 300).any(axis=0).nonzero()[0].max() < 200
    assert ink("loss after epoch 3", 100).any(axis=0).nonzero()[0].max() < 100
    assert ink("loss after epoch 3", 100).sum() < ink("loss after epoch 3", 300).sum()
    small = np.zeros((8, 12), np.uint8)
    with pytest.raises(ValueError, match="too long for a frame of 12 pixels"):
        animation.caption(small, "loss after epoch 3")
    assert animation.caption(small.repeat(4, axis=0).repeat(4, axis=1), "epoch 3").shape == (66, 48)
    with pytest.raises(ValueError, match="several lines"):
        animation.caption(FRAMES[0], "epoch 3\nloss 4")
    with pytest.raises(ValueError, match="height is 0"):
        animation.caption(FRAMES[0], "epoch 3", height=0)


def test_what_is_no_film_or_no_place_for_one_is_refused(tmp_path):
    film = animation.gif(FRAMES)
    with pytest.raises(ValueError, match=r"is a folder. Name a file in it"):
        animation.save(film, tmp_path)
    assert animation.save(film, tmp_path / "film.gif").read_bytes() == film
    with pytest.raises(ValueError, match="film.gif is a file, so .*b.gif cannot lie in it"):
        animation.save(film, tmp_path / "film.gif" / "b.gif")
    for wrong in (FRAMES, b"", b"\x89PNG", None):
        with pytest.raises(ValueError, match="Hand in what animation.gif returns"):
            animation.save(wrong, tmp_path / "other.gif")
        with pytest.raises(ValueError, match="Hand in what animation.gif returns"):
            animation.show(wrong, "four greys")
    assert [path.name for path in tmp_path.iterdir()] == ["film.gif"]
    for empty in ("", "  ", None):
        with pytest.raises(ValueError, match="alt is empty"):
            animation.show(film, empty)
