"""Weights in a file, whole or not there; a decoder for other programs; every other way to save refused beforehand."""

import contextlib
import os
import shutil
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf
import tf_keras as keras

SUFFIX = ".weights.h5"


class WeightsOnly:
    """For models with distributions in them: what Keras would write could not be read again, or harms the model."""

    def _refuse(self, *args, **kwargs):
        raise NotImplementedError(
            "A model with distributions is not saved or copied whole: they are functions, not numbers. Keep its "
            "weights, vae.save_weights('vae.weights.h5'), build the same VAE again and "
            "vae.load_weights('vae.weights.h5'). "
            "ModelCheckpoint takes save_weights_only=True. For other programs: models.export_decoder(vae, 'decoder')."
        )

    save = export = to_json = to_yaml = get_config = __reduce__ = __deepcopy__ = __copy__ = _refuse

    def _trackable_children(self, save_type="checkpoint", **kwargs):
        if save_type == "savedmodel":
            self._refuse()
        return super()._trackable_children(save_type, **kwargs)


class _Held(keras.layers.Layer):
    """The variables of a trainable prior, where Keras finds them."""

    def __init__(self, variables):
        super().__init__()
        self.held, self.built = list(variables), True


class _Weights(keras.Model):
    """The layers of a VAE as they stand in its weight files, without optimizer and metrics."""

    def __init__(self, vae):
        super().__init__()
        self._kept, self.built = list(vae.layers), True
        if vae.prior.variables:
            self.prior = _Held(vae.prior.variables)


def _weights_of(vae, where: str) -> tuple[_Weights, list]:
    """The container and the values that are in it now."""
    weights = _Weights(vae)
    try:
        return weights, weights.get_weights()
    except ValueError as error:
        raise ValueError(
            f"{where}: this VAE has no weights yet. Networks without keras.Input get them from a first call: "
            "vae(images[:1])."
        ) from error


def _checked(path: Any, where: str) -> Path:
    if not isinstance(path, (str, os.PathLike)) or not str(path).endswith(SUFFIX):
        raise ValueError(f"{where}: the name of a weight file ends with {SUFFIX}, not {str(path)!r}.")
    return Path(path)


def _checksum(file: h5py.File) -> int:
    """Of all arrays in a file, with their names; without optimizer and metrics, which older files have as well."""
    return sum(zlib.crc32(array[()].tobytes(), zlib.crc32(name.encode())) for name, array in _arrays(file).items())


def _arrays(file: h5py.File) -> dict:
    found = {}
    file.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    others = ("optimizer", "trackers", "metrics", "_metrics")
    return {name: array for name, array in found.items() if name.split("/")[0] not in others}


@contextlib.contextmanager
def _whole(path: Path, suffix: str = ""):
    """The place to write to; what is there gets the name ``path`` at the end, and is gone after an error."""
    part = path.with_name(f"{path.name.removesuffix(suffix)}.{os.getpid()}.part{suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if part.is_file():
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        part.replace(path)
    except (OSError, RuntimeError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[0]
        raise OSError(
            f"{path} cannot be written: {reason}. A file of that name is as it was before. Make room, or name another."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # there may be no such folder
            shutil.rmtree(part) if part.is_dir() else part.unlink()


def save_weights(vae, path: str | os.PathLike) -> None:
    """``VAE.save_weights``: all weights of the networks and a trainable prior, without the optimizer's state.

    Raises:
        ValueError: unless the name ends with ``.weights.h5``.
        OSError: when the file cannot be written; a file of that name is as it was before.
    """
    path = _checked(path, "save_weights")
    weights, _ = _weights_of(vae, "save_weights")
    with _whole(path, SUFFIX) as part:
        weights.save_weights(str(part))
        with h5py.File(part, "r+") as file:
            file.attrs["checksum"] = np.uint64(_checksum(file))
        with h5py.File(part) as file:
            if _checksum(file) != file.attrs["checksum"]:
                raise OSError("what was written is not what can be read")


def load_weights(vae, path: str | os.PathLike) -> None:
    """``VAE.load_weights``: from a file of ``save_weights``, or of an earlier version of the course. All or nothing.

    Raises:
        ValueError: for a file of another kind or of other networks, and a damaged one; the VAE is as it was before.
        FileNotFoundError: without a file.
    """
    path = _checked(path, "load_weights")
    if not path.is_file():
        raise FileNotFoundError(f"load_weights: there is no file {path}. save_weights writes one.")
    weights, before = _weights_of(vae, "load_weights")
    try:
        with h5py.File(path) as file:
            arrays = len(_arrays(file))
            damaged = "checksum" in file.attrs and file.attrs["checksum"] != _checksum(file)
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"load_weights: {path} is damaged, or no weight file ({error}). Put back a copy.") from error
    if damaged:
        raise ValueError(
            f"load_weights: {path} is damaged: its numbers are not those that were saved. Put back a copy."
        )
    try:
        if arrays != len(before):
            raise ValueError(f"it holds {arrays} arrays, this VAE has {len(before)}")
        weights.load_weights(str(path))
    except Exception as error:  # of h5py, Keras or TensorFlow, whatever they meet in a strange file
        weights.set_weights(before)
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise ValueError(
            f"load_weights: {path} does not fit this VAE: {reason}. Build it as the one that was saved: the same "
            "networks, latent_dim, kind of decoder and prior."
        ) from error


def export_decoder(vae, path: str | os.PathLike) -> Path:
    """Write the decoder for other programs: codes ``(number, latent_dim)`` to the mean of p(x|z), pixels in [0, 1].

    ``export_decoder(vae, "decoder")`` writes a SavedModel: ``loaded = tf.saved_model.load("decoder")``, then
    ``loaded.decode(z)``. ``export_decoder(vae, "decoder.tflite")`` writes a file for LiteRT, once TensorFlow Lite.

    Raises:
        ValueError: for a folder that exists.
        OSError: when it cannot be written; nothing is left behind.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"export_decoder: the folder {path} exists. Name another, or remove it first.")

    def decode(z):
        return vae.decoder(z, training=False).mean()

    module = tf.Module()
    module.weights = vae.decoder.weights
    module.decode = tf.function(decode, input_signature=[tf.TensorSpec((None, *vae.prior.event_shape), name="z")])
    with _whole(path, path.suffix) as part:
        if path.suffix == ".tflite":
            concrete = module.decode.get_concrete_function()
            part.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert())
        else:
            tf.saved_model.save(module, str(part), signatures=module.decode)
    return path
