"""animation: the GIF's time, loop, frames, size and alternatives."""

import io

import imageio.v3 as iio
import numpy as np
import pytest
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
