"""Which training it is: whatever would make it another one is told by name, and what changes nothing is not."""

import numpy as np
import pytest
import tf_keras as keras
from tiny_training import IMAGES, At, tfd, tiny_vae, train

from course_utils import models, training
from course_utils.checkpoints import code, identity


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """A folder with a training of the tiny VAE that was cut off in its first epoch."""
    folder = tmp_path_factory.mktemp("cut")
    with pytest.raises(KeyboardInterrupt):
        train(folder, tiny_vae(), callbacks=[At(3)])
    return folder


def other_image(number):
    images = IMAGES.copy()
    images[number, 0, 0] ^= 1
    return images


class Halved(models.VAE):
    def train_step(self, images):
        return super().train_step(images * 0.5)


class Quartered(models.VAE):
    def train_step(self, images):
        return super().train_step(images * 0.25)


@pytest.mark.parametrize(
    "vae, changes, words",
    [
        ({"beta": 2.0}, {}, "beta 1.0 there, 2.0 here"),
        ({"likelihood": models.bernoulli_of}, {"transform": "binarise"}, "likelihood Normal there, Bernoulli here"),
        ({"variance": 0.2}, {}, "variance of a pixel 0.1 there, 0.2 here"),
        ({"likelihood": models.calibrated_gaussian_of}, {}, "variance of a pixel 0.1 there, follows the training here"),
        ({"activation": "elu"}, {}, r"encoder layer \d+ \(Dense\) activation relu there, elu here"),
        ({"function": lambda value: 2 * value}, {}, "code of Lambda.function differs"),
        ({"prior": tfd.MultivariateNormalDiag([0.0, 0.0], [2.0, 2.0])}, {}, "answers of prior to a probe"),
        (
            {"prior": tfd.Sample(tfd.Laplace(0.0, 1.0), 2)},
            {},
            r"prior MultivariateNormalDiag\(2,\) there, Sample\(Laplace\(\)\) here",
        ),
        ({"kind": Halved}, {}, "model VAE there, Halved here"),
        ({}, {"images": other_image(9)}, "pixels of the images .* there"),
        ({}, {"images": other_image(31)}, "pixels of the images .* there"),
        ({}, {"images": (IMAGES / 255).astype(np.float32)}, "number type of the images uint8 there, float32 here"),
        ({}, {"validation": IMAGES}, "pixels for validation none there"),
        ({}, {"transform": "binarise"}, "transform float there, binarise here"),
        ({}, {"callbacks": [keras.callbacks.EarlyStopping("loss")]}, "callbacks .* there, .*EarlyStopping"),
    ],
)
def test_another_training_is_refused_by_what_differs(vae, changes, words, cut):
    before = sorted(cut.rglob("*"))
    with pytest.raises(ValueError, match=f"of another training: .*{words}"):
        train(cut, tiny_vae(**vae), **changes)
    assert sorted(cut.rglob("*")) == before


def settings(vae):
    vae.compile(training.adam(vae, 1e-3))
    vae(np.zeros((1, 4, 4, 1), np.float32))
    return identity.plain(identity.of_model(vae, (4, 4, 1)))


def test_the_same_model_is_the_same_whatever_its_weights_and_its_layers_names():
    one, other = tiny_vae(), tiny_vae()
    settings(other)
    other.set_weights([weight + 1 for weight in other.get_weights()])
    weights = other.get_weights()
    assert identity.differences(settings(one), settings(other)) == []
    assert all(np.array_equal(a, b) for a, b in zip(weights, other.get_weights(), strict=True)), "weights are lent only"


def test_a_function_is_told_by_its_answers_where_its_code_cannot_be_compared():
    here = settings(tiny_vae())
    there = settings(tiny_vae(function=lambda value: value * value))
    there["code"]["python"] = ["3", "1"]
    (told,) = identity.differences(there, here)
    assert told.startswith("answers of encoder")
    assert identity.differences(here | {"code": there["code"]}, here) == [], "another Python is no other training"


def test_the_code_of_a_training_step_is_compared():
    Quartered.__name__ = "Halved"
    assert identity.differences(settings(tiny_vae(kind=Halved)), settings(tiny_vae(kind=Halved))) == []
    told = identity.differences(settings(tiny_vae(kind=Halved)), settings(tiny_vae(kind=Quartered)))
    assert told == ["code of Halved.train_step differs"]


def test_numbers_that_a_function_holds_are_part_of_its_code():
    def scaled(factor):
        return lambda value: factor * value

    assert code.code_of(scaled(2.0)) == code.code_of(scaled(2.0)) != code.code_of(scaled(3.0))
    assert code.code_of(np.square) is None and code.code_of(models.standard_normal) is None


def test_a_frozen_layer_is_another_training():
    frozen = tiny_vae()
    frozen.encoder.layers[0].layers[1].trainable = False
    assert any(
        "trainable True there, False here" in told
        for told in identity.differences(settings(tiny_vae()), settings(frozen))
    )


class Rows:
    """Images that are read when indexed, and count how many were."""

    dtype, read = np.dtype(np.uint8), 0

    def __init__(self, number):
        self.shape = (number, 512, 512, 3)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        self.read += len(rows)
        return np.asarray(rows, np.int64)


def test_of_large_stored_sets_a_sample_is_read_and_it_is_said():
    few, many = Rows(500), Rows(100_000)
    assert identity.fingerprint(few).endswith("(all)") and few.read == 500
    assert identity.fingerprint(many).endswith("(1,024 of them)") and many.read == 1024
