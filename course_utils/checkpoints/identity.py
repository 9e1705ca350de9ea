"""Which training this is: everything that must be the same for another one to go on with its checkpoints."""

import hashlib
import json
import platform

import numpy as np
import tensorflow_probability as tfp
import tf_keras as keras

from course_utils import runtime
from course_utils.checkpoints.code import code_of, own_methods
from course_utils.checkpoints.probe import answers, fixed_weights, likelihood_of

tfd = tfp.distributions
READ_WHOLE = 1 << 29  # bytes of stored images that are read to tell them from others; of more, a sample
SAMPLE = 1024
UNIMPORTANT = ("name", "kernel_initializer", "bias_initializer", "gamma_initializer", "beta_initializer")
TOLERANCE = {"float32": 0.02, "bfloat16": 0.1, "float16": 0.1}  # another machine adds in another order


def of_model(model: keras.Model, image_shape: tuple) -> dict:
    """What tells one model from another, whatever its weights: settings that JSON can hold.

    Layers by class and configuration; the likelihood, its variance where that is fixed, the prior, beta. What no
    configuration shows, such as the body of a lambda, is told by the answers of the networks to a probe at fixed
    weights (``probe``), and by the code itself where both ran under the same Python (``code``).
    """
    parts = {name: getattr(model, name) for name in ("encoder", "decoder") if hasattr(model, name)}
    parts = parts if len(parts) == 2 and hasattr(model, "prior") else {"model": model}
    networks = {name: [_layer(layer) for layer in _layers(part)] for name, part in parts.items()}
    with fixed_weights(model):
        likelihood, variance = likelihood_of(model, image_shape) if "decoder" in parts else ("", "")
        answered = answers(model, image_shape)
    return {
        "precision": computes_in(model),
        "devices": model.distribute_strategy.num_replicas_in_sync,
        "seed": runtime.SEED,
        "optimizer": _optimizer(model.optimizer),
        "beta": vars(model).get("_beta", 1.0),  # the one that was set; a warm-up weighs the KL by a part of it
        "model": type(model).__name__,
        "parameters": int(sum(np.prod(weight.shape) for weight in model.weights)),
        "likelihood": likelihood,
        "variance of a pixel": variance,
        "prior": _words(model.prior) if "encoder" in parts else "",
        "networks": networks,
        "answers": answered,
        "code": {"python": platform.python_version_tuple()[:2], **_code(model)},
    }


def of_images(images, validation=None) -> dict:
    """What tells these images from others: shape, number type and a fingerprint of their pixels."""
    return {
        "images": list(images.shape),
        "number type of the images": str(images.dtype),
        "pixels of the images": fingerprint(images),
        "pixels for validation": "" if validation is None else fingerprint(validation),
    }


def fingerprint(images) -> str:
    """A fingerprint of images, array or stored. Of stored sets beyond 512 MB, 1,024 images spread evenly are read."""
    count, size = len(images), int(np.prod(images.shape[1:]))
    rows, kind = np.arange(count), "all"
    if not isinstance(images, np.ndarray) and count > SAMPLE and count * size > READ_WHOLE:
        rows, kind = np.linspace(0, count - 1, SAMPLE).astype(int), f"{SAMPLE:,} of them"
    digest = hashlib.blake2b(f"{images.dtype} {tuple(images.shape)}".encode(), digest_size=8)
    for first in range(0, len(rows), 256):
        part = rows[first : first + 256]
        chunk = images[part[0] : part[-1] + 1] if isinstance(images, np.ndarray) else images[part]
        digest.update(np.ascontiguousarray(chunk))
    return f"{digest.hexdigest()} ({kind})"


def differences(theirs: dict, ours: dict) -> list[str]:
    """What differs between two settings, in words: there and here."""
    found = []
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        there, here = theirs.get(name), ours.get(name)
        if name == "networks":
            found += _network_differences(there, here)
        elif name == "answers":
            found += _answer_differences(there, here, TOLERANCE.get(ours.get("precision"), 0.02))
        elif name == "code":
            found += _code_differences(there, here)
        elif there != here:
            found.append(f"{name} {_shown(there)} there, {_shown(here)} here")
    if any(not each.startswith(("answers", "code")) for each in found):  # they follow from the rest
        found = [each for each in found if not each.startswith("answers")]
    return found


def plain(settings: dict) -> dict:
    """As they come back from JSON: tuples become lists."""
    return json.loads(json.dumps(settings, default=_name))


def computes_in(model: keras.Model) -> str:
    """The number type of most of the work: a half-precision one where any layer has it, else float32."""
    found = {layer.compute_dtype for layer in model._flatten_layers()}
    return next((name for name in ("float16", "bfloat16") if name in found), "float32")


def _optimizer(optimizer) -> dict:
    """Its settings but for the learning rate, which a training says in its own words."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    config = {name: value for name, value in inner.get_config().items() if name not in ("name", "learning_rate")}
    return {"kind": type(inner).__name__, "scales the loss": inner is not optimizer} | config


def _layers(part) -> list:
    layers = part._flatten_layers(recursive=True, include_self=False)
    return [layer for layer in layers if not isinstance(layer, (keras.metrics.Metric, keras.layers.InputLayer))]


def _layer(layer) -> dict:
    """Class and configuration. Layers around functions have none that two sessions could compare."""
    described = {"layer": type(layer).__name__, "trainable": bool(layer.trainable), "dtype": layer.compute_dtype}
    if isinstance(layer, (keras.Model, keras.layers.Lambda)):
        return described
    try:
        config = layer.get_config()
    except NotImplementedError:  # a layer of the user's own: its plain attributes
        config = {name: value for name, value in vars(layer).items() if not name.startswith("_")}
        config = {name: value for name, value in config.items() if isinstance(value, (bool, int, float, str))}
    config = {name: value for name, value in config.items() if name not in (*UNIMPORTANT, "dtype")}
    return plain(config | described)


def _code(model) -> dict[str, str]:
    found = {}
    for layer in [model, *_layers(model)]:
        function = getattr(layer, "_make_distribution_fn", None) or getattr(layer, "function", None)
        functions = own_methods(type(layer)) | ({"function": function} if callable(function) else {})
        activation = getattr(layer, "activation", None)
        for name, each in (functions | ({"activation": activation} if callable(activation) else {})).items():
            if (code := code_of(each)) is not None:
                key = f"{type(layer).__name__}.{name}"
                found[key] = f"{found[key]} {code}" if key in found else code
    return found


def _words(distribution) -> str:
    inner = [_words(part) for part in distribution.parameters.values() if isinstance(part, tfd.Distribution)]
    shape = "" if inner else str(tuple(distribution.event_shape))
    return f"{type(distribution).__name__}{shape}" + (f"({', '.join(inner)})" if inner else "")


def _network_differences(there, here) -> list[str]:
    found = []
    for part in here:
        theirs, ours = (there or {}).get(part, []), here[part]
        if len(theirs) != len(ours):
            found.append(f"{part} of {len(theirs)} layers there, {len(ours)} here")
            continue
        for number, (one, other) in enumerate(zip(theirs, ours, strict=True), 1):
            place = f"{part} layer {number} ({other['layer']})"
            if one["layer"] != other["layer"]:
                found.append(f"{part} layer {number} {one['layer']} there, {other['layer']} here")
                continue
            for name in sorted(one.keys() | other.keys()):
                if one.get(name) != other.get(name):
                    found.append(f"{place} {name} {_shown(one.get(name))} there, {_shown(other.get(name))} here")
    return found


def _answer_differences(there, here, tolerance: float) -> list[str]:
    found = []
    for name, ours in here.items():
        theirs = (there or {}).get(name, [])
        scale = tolerance * max(map(abs, ours), default=0.0)
        if len(theirs) != len(ours) or not np.allclose(theirs, ours, rtol=tolerance, atol=scale, equal_nan=True):
            found.append(f"answers of {name} to a probe: what it computes differs, though its settings do not")
    return found


def _code_differences(there, here) -> list[str]:
    if (there or {}).get("python") != here["python"]:  # the same lines become other code
        return []
    names = [name for name in sorted(there.keys() | here.keys()) if there.get(name) != here.get(name)]
    return [f"code of {name} differs" for name in names]


def _shown(value) -> str:
    text = "none" if value is None or value == "" else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _name(value) -> str:
    return getattr(value, "__name__", type(value).__name__)
