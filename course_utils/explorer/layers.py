"""A Keras network as a plain description of its layers: what ``layers.js`` computes in a browser.

All arrays are channels-last, so that Flatten, Reshape and Dropout leave the numbers where they are, and drop out. Batch
normalisation, which at test time multiplies and adds, is folded into the linear layer before it where there is one.
"""

import numpy as np
import tensorflow as tf
import tf_keras as keras

ACTIVATIONS = {"linear": 0.0, "relu": 0.0, "sigmoid": 0.0, "tanh": 0.0, "leaky_relu": 0.2}  # and the slope below zero


def describe(network: keras.Sequential, where: str) -> list[dict]:
    """The layers that compute something, in order, each a dictionary with NumPy arrays in it.

    ``{"type": "dense", "kernel": (in, out), "bias": (out,)}``; ``"conv"`` and ``"transposed"`` with kernels
    ``(height, width, in, out)``, ``"input"`` and ``"output"`` shapes, ``"strides"``, ``"padding"``, and the rows and
    columns cut off at the top and left, ``"before"``; ``"affine"``, a factor and a shift a channel; ``"activation"``.

    Raises:
        ValueError: for a layer without a translation, by name, with what to do.
    """
    described, foldable = [], False
    for layer in _flat(network, where):
        kind = type(layer)
        if kind is keras.layers.BatchNormalization:
            _add_affine(described, layer, foldable, where)
            foldable = False
        elif kind in (keras.layers.Flatten, keras.layers.Reshape):
            foldable = False  # the channels of what follows are others
        elif kind is not keras.layers.Dropout:
            described += _TRANSLATIONS[kind](layer, where)
            foldable = described[-1]["type"] in ("dense", "conv", "transposed")
    return described


def _flat(network, where: str) -> list:
    if not isinstance(network, keras.Sequential):
        raise ValueError(
            f"{where}: the network {getattr(network, 'name', network)!r} is a {type(network).__name__}, and the "
            "explorer reads keras.Sequential. Write it as keras.Sequential([keras.Input(shape), ...])."
        )
    layers = []
    for layer in network.layers:
        if isinstance(layer, keras.Sequential):
            layers += _flat(layer, where)
        elif type(layer) in (*_TRANSLATIONS, *_SILENT):
            layers.append(layer)
        elif type(layer) is not keras.layers.InputLayer:
            known = ", ".join(sorted(kind.__name__ for kind in (*_TRANSLATIONS, *_SILENT)))
            raise ValueError(
                f"{where}: the layer {layer.name!r} is a {type(layer).__name__}, which the explorer cannot compute in "
                f"a browser. Build the network from {known}."
            )
    return layers


def _dense(layer, where):
    if len(layer.input_shape) != 2:
        raise ValueError(f"{where}: the layer {layer.name!r} is Dense on a map. Put keras.layers.Flatten() before it.")
    return [_with_bias(layer, "dense", layer.kernel.numpy()), *_after(layer, where)]


def _convolution(layer, where):
    transposed = type(layer) is keras.layers.Conv2DTranspose
    plain = layer.data_format == "channels_last" and set(layer.dilation_rate) == {1} and layer.groups == 1
    if not plain or layer.padding not in ("same", "valid") or None in layer.input_shape[1:]:
        raise ValueError(
            f"{where}: the layer {layer.name!r} has dilation, groups, channels first or an open size, which the "
            "explorer cannot compute in a browser. Build it with dilation_rate=1, groups=1, for images of a fixed size."
        )
    kernel = layer.kernel.numpy()
    small, large = layer.input_shape[1:3], layer.output_shape[1:3]
    if not transposed:
        small, large = large, small
    before = [0, 0]
    if layer.padding == "same":
        sides = zip(small, large, layer.kernel_size, layer.strides, strict=True)
        before = [max((few - 1) * stride + size - many, 0) // 2 for few, many, size, stride in sides]
    described = _with_bias(
        layer, "transposed" if transposed else "conv", kernel.swapaxes(2, 3) if transposed else kernel
    )
    described |= {"input": layer.input_shape[1:], "output": layer.output_shape[1:], "before": before}
    return [described | {"strides": layer.strides, "padding": layer.padding.upper()}, *_after(layer, where)]


def _with_bias(layer, kind, kernel):
    bias = layer.bias.numpy() if layer.use_bias else np.zeros(kernel.shape[-1])
    return {"type": kind, "kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}


def _after(layer, where):
    name = getattr(layer.activation, "__name__", str(layer.activation))
    known = (tf.nn.leaky_relu, *(getattr(keras.activations, other, None) for other in ACTIVATIONS))
    if name not in ACTIVATIONS or layer.activation not in known:
        raise ValueError(
            f"{where}: the layer {layer.name!r} has the activation {name}, which the explorer cannot compute in "
            f"a browser. Take one of {', '.join(ACTIVATIONS)}."
        )
    return [] if name == "linear" else [activation(name, ACTIVATIONS[name])]


def activation(name: str, slope: float = 0.0) -> dict:
    """The description of a layer that is only an activation; ``slope`` is that below zero of a leaky ReLU."""
    return {"type": "activation", "name": name, "slope": float(slope)}


def _leaky(layer, where):
    return [activation("leaky_relu", layer.alpha)]


def _relu(layer, where):
    if layer.max_value is not None or layer.threshold or layer.negative_slope:
        raise ValueError(f"{where}: the layer {layer.name!r} is a ReLU with settings. Take ReLU() or LeakyReLU(slope).")
    return [activation("relu")]


def _add_affine(described, layer, foldable, where):
    if layer.axis not in ([len(layer.input_shape) - 1], len(layer.input_shape) - 1):
        raise ValueError(f"{where}: the layer {layer.name!r} normalises another axis than the last. Take axis=-1.")
    factor = 1 / np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
    factor = factor * (layer.gamma.numpy() if layer.scale else 1.0)
    shift = (layer.beta.numpy() if layer.center else 0.0) - layer.moving_mean.numpy() * factor
    if foldable:
        linear = described[-1]
        linear["kernel"] = (linear["kernel"] * factor).astype(np.float32)
        linear["bias"] = (linear["bias"] * factor + shift).astype(np.float32)
    else:
        described.append({"type": "affine", "factor": factor.astype(np.float32), "shift": shift.astype(np.float32)})


_SILENT = (keras.layers.Flatten, keras.layers.Reshape, keras.layers.Dropout, keras.layers.BatchNormalization)
_TRANSLATIONS = {
    keras.layers.Dense: _dense,
    keras.layers.Conv2D: _convolution,
    keras.layers.Conv2DTranspose: _convolution,
    keras.layers.Activation: _after,
    keras.layers.LeakyReLU: _leaky,
    keras.layers.ReLU: _relu,
}


def compute(described: list[dict], values: np.ndarray) -> np.ndarray:
    """What a description computes, by TensorFlow: ``(number, ...)`` to ``(number, numbers out)``."""
    x = tf.reshape(tf.cast(values, tf.float32), (len(values), -1))
    functions = {"relu": tf.nn.relu, "sigmoid": tf.nn.sigmoid, "tanh": tf.nn.tanh}
    for layer in described:
        if layer["type"] == "dense":
            x = x @ layer["kernel"] + layer["bias"]
        elif layer["type"] == "affine":
            x = tf.reshape(x, (-1, len(layer["factor"]))) * layer["factor"] + layer["shift"]
        elif layer["type"] == "activation":
            leaky = layer["name"] == "leaky_relu"
            x = tf.nn.leaky_relu(x, layer["slope"]) if leaky else functions[layer["name"]](x)
        else:
            maps = tf.reshape(x, (-1, *layer["input"]))
            if layer["type"] == "conv":
                x = tf.nn.conv2d(maps, layer["kernel"], layer["strides"], layer["padding"]) + layer["bias"]
            else:
                kernel, shape = layer["kernel"].swapaxes(2, 3), (len(values), *layer["output"])
                x = tf.nn.conv2d_transpose(maps, kernel, shape, layer["strides"], layer["padding"]) + layer["bias"]
        x = tf.reshape(x, (len(values), -1))
    return x.numpy()
