"""Rows read from a file, and batches in an order that a resumed training continues."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from course_utils import data

NUMBERED = np.zeros((20, 256, 256, 3), np.uint8)
NUMBERED[:] = 10 * np.arange(20, dtype=np.uint8)[:, None, None, None]
NUMBERED[:, 0, 0] = 255, 128, 0


@pytest.fixture(params=["preadv", "seek"])
def stored(request, tmp_path, monkeypatch):
    """The numbered images on disk, read as on Linux and as on Windows."""
    if request.param == "seek":
        monkeypatch.delattr(os, "preadv")
    (tmp_path / "images.bin").write_bytes(NUMBERED.tobytes())
    return data.StoredImages(tmp_path / "images.bin", np.arange(20))


def numbers(batches):
    """The number of each image, batch by batch."""
    return [[int(round(float(image[9, 9, 0]) * 25.5)) for image in np.asarray(batch)] for batch in batches]


@pytest.mark.parametrize(
    "index", [3, -1, slice(None), slice(5, 1, -2), slice(3, 3), [4, 4, 0], np.array([[1, 2], [3, 19]])]
)
def test_stored_images_read_like_an_array(index, stored):
    assert stored.shape == NUMBERED.shape and stored.dtype == np.uint8 and len(stored) == 20 and stored.ndim == 4
    np.testing.assert_array_equal(stored[index], NUMBERED[index])
    assert stored[index].dtype == np.uint8


def test_stored_images_as_a_whole(stored):
    np.testing.assert_array_equal(np.asarray(stored), NUMBERED)
    assert np.asarray(stored, np.float32).dtype == np.float32 and len(list(stored)) == 20
    with pytest.raises(IndexError):
        stored[20]
    with pytest.raises(TypeError):
        stored[0] = 1
    part = stored.at(np.array([7, 3])).at(np.array([1]))
    np.testing.assert_array_equal(part[0], NUMBERED[3])
    assert str(stored.path) not in repr(stored), "a path of this machine would land in a notebook"


@pytest.mark.parametrize("shape", [(28, 28, 1), (45, 45, 3), (5, 7, 1)])
def test_stored_images_of_any_shape(shape, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, *shape), np.uint8)
    (tmp_path / "images.bin").write_bytes(pixels.tobytes())
    stored = data.StoredImages(tmp_path / "images.bin", np.array([5, 0, 3]), shape=shape)
    assert stored.shape == (3, *shape) and stored.ndim == 4
    np.testing.assert_array_equal(stored[:], pixels[[5, 0, 3]])
    np.testing.assert_array_equal(stored.at(np.array([2]))[0], pixels[3])
    (batch,) = data.stream(stored, 3, seed=1).take(1)
    assert batch.shape == (3, *shape)
    (batch,) = data.batches(stored, 3, seed=1, shuffle=False)
    np.testing.assert_array_equal(batch, data.to_float(stored[:]))


def test_file_that_was_deleted_or_cut(stored):
    os.truncate(stored.path, 5 * 256 * 256 * 3 + 7)
    with pytest.raises(data.DataError, match=f"ends before image 5. Delete {stored.path.parent}, and load"):
        stored[3:7]
    stored.path.unlink()
    np.testing.assert_array_equal(stored[2], NUMBERED[2])


def test_memory_does_not_grow_with_the_images(tmp_path):
    """A file of 6,000 images, all read in batches, by a process whose peak is looked at before and after."""
    with open(tmp_path / "images.bin", "wb") as file:
        file.truncate(6_000 * 256 * 256 * 3)  # holes: 1.2 GB that take no room
    code = """
import resource, sys, numpy as np
from course_utils import data
def peak():
    try:  # the other figure begins with that of the parent process
        return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
images = data.StoredImages(sys.argv[1], np.arange(6_000))
def read(number):
    for first in range(0, number, 32):
        images[first : first + 32]
    return peak()
print(read(320), read(6_000))
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(data.__file__).parents[2])}
    command = [sys.executable, "-c", code, str(tmp_path / "images.bin")]
    run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    first, last = map(int, run.stdout.split())
    assert last < 1.1 * first


# --- orders


def test_epoch_order_depends_on_its_arguments_only():
    orders = [data.epoch_order(50, *pair) for pair in ((1, 0), (1, 1), (2, 0), (1, 0))]
    assert all(sorted(order) == list(range(50)) for order in orders)
    np.testing.assert_array_equal(orders[0], orders[3])
    assert len({tuple(order) for order in orders}) == 3
    assert data.epoch_order(8, 2013, 7).tolist() == [0, 3, 4, 1, 7, 2, 6, 5], "resumed trainings would change"


@pytest.mark.parametrize("on_disk", [False, True])
def test_stream_can_begin_at_any_step(on_disk, stored):
    images = stored if on_disk else NUMBERED
    whole = numbers(data.stream(images, 6, seed=4).take(12))
    for first in (1, 3, 7):
        assert numbers(data.stream(images, 6, seed=4, first_step=first).take(12 - first)) == whole[first:]
    for epoch in range(4):  # three full batches in each
        order = data.epoch_order(20, 4, epoch)
        assert sum(whole[3 * epoch : 3 * epoch + 3], []) == order[:18].tolist()
    assert numbers(data.stream(images, 6, seed=5).take(3)) != whole[:3]


def test_pixels_of_a_stream(stored):
    (batch,) = data.stream(stored, 20, seed=1).take(1)
    order = data.epoch_order(20, 1, 0)
    np.testing.assert_array_equal(batch, data.to_float(NUMBERED[order]))
    assert batch.dtype == tf.float32 and data.stream(stored, 20, seed=1).element_spec.shape == (20, 256, 256, 3)
    (binary,) = data.stream(stored, 20, seed=1, transform="binarise").take(1)
    np.testing.assert_array_equal(binary, data.binarise(NUMBERED[order]))


@pytest.mark.parametrize("on_disk", [False, True])
def test_images_stay_out_of_the_graph(on_disk, stored):
    graph = data.stream(stored if on_disk else NUMBERED, 4, seed=1)._as_serialized_graph(
        external_state_policy=tf.data.experimental.ExternalStatePolicy.IGNORE
    )
    assert len(graph.numpy()) < 100_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 21}, "20 images do not fill one batch of 21"),
        ({"batch_size": 0}, "do not fill"),
        ({"first_step": -1}, "first_step must be 0 or more"),
        ({"transform": "double"}, "'float' or 'binarise'"),
        ({"images": NUMBERED.astype(np.int32)}, "uint8 or as floats in .0, 1., not int32"),
    ],
)
def test_stream_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        data.stream(**{"images": NUMBERED, "batch_size": 4, "seed": 1, **options})


def test_batches_of_stored_images_are_those_of_an_array(stored):
    labels = np.arange(20)
    for options in (
        {"shuffle": False},
        {"labels": labels, "shuffle": False},
        {"transform": "binarise", "shuffle": False},
    ):
        pairs = zip(data.batches(stored, 8, 1, **options), data.batches(NUMBERED, 8, 1, **options), strict=True)
        for ours, theirs in pairs:
            tf.nest.map_structure(np.testing.assert_array_equal, ours, theirs)
    shuffled = numbers(data.batches(stored, 8, seed=3))
    assert sorted(sum(shuffled, [])) == list(range(20)) and sum(shuffled, []) != list(range(20))
    assert data.batches(stored, 8, 1).element_spec.shape.as_list() == [None, 256, 256, 3]


def test_a_model_is_fitted_to_a_stream(stored):
    import tf_keras as keras

    model = keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)])
    model.compile("sgd", lambda _, y: y)
    dataset = data.stream(stored, 4, seed=1).map(lambda batch: (batch, batch[:, 0, 0, :1]))
    history = model.fit(dataset, steps_per_epoch=5, epochs=2, verbose=0).history["loss"]
    assert len(history) == 2 and np.isfinite(history).all()
