"""Everything that the explorer's page knows of a model and its images, as text."""

import base64
import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from course_utils import data, plots
from course_utils.border import drawable, shapes
from course_utils.explorer import layers, packing

MOST = 3.7e6  # characters of weights, so that a page stays under 4 MB
AXES = 8  # sliders


def payload_of(model, images, labels, class_names, directions, along, where: str) -> dict:
    """A dictionary for JSON: networks, codes of some of the images, an image of each class, colours and names.

    Raises:
        ValueError: what ``explorer.plane`` raises.
    """
    if not all(hasattr(model, name) for name in ("encoder", "decoder", "prior")):
        raise ValueError(
            f"{where}: a {type(model).__name__} has no encoder, decoder and prior. Hand in models.VAE(encoder, "
            "decoder, prior), with distributions from models.posterior_of and models.bernoulli_of or gaussian_of."
        )
    shapes.check_model(model, images, where, uint8=getattr(images, "dtype", None) == np.uint8, binarised=True)
    shape, latent_dim = tuple(images.shape[1:]), int(model.prior.event_shape[0])
    if latent_dim < 2 or shape[-1] not in (1, 3):
        raise ValueError(
            f"{where}: images of shape {shape} with {latent_dim} latent dimension{'s' * (latent_dim > 1)}. The "
            "explorer shows a plane of at least 2 latent dimensions, and images with 1 or 3 channels."
        )
    labels, class_names = _classes(labels, class_names, len(images), where)
    directions = _directions(directions, latent_dim, where)

    number = min(len(images), int(np.clip(6e7 / np.prod(shape), 300, 3000)))
    chosen = np.arange(number) if number == len(images) else np.linspace(0, len(images) - 1, number).astype(int)
    binary = bool(getattr(getattr(model, "parts", None), "binary", False))
    ready = data.binarise if binary else data.to_float
    floats = [ready(np.asarray(images[chosen[i : i + 100]])) for i in range(0, number, 100)]
    codes = np.concatenate([model.encoder(part, training=False).mean().numpy() for part in floats])
    if not np.isfinite(codes).all():
        raise ValueError(f"{where}: some codes are NaN or infinite: the training diverged. Train with a lower rate.")

    networks = _networks(model, floats[0][:20], codes[:20], where)
    axes = axes_of(codes, along, where)
    places = codes @ np.array(list(axes.values())).T
    examples = chosen[:1] if labels is None else chosen[typical(codes, labels[chosen])]
    return networks | {
        "shape": shape,
        "latent_dim": latent_dim,
        "binary": binary,
        "axes": as_text(axes),
        "start": _rounded(codes.mean(axis=0) if along == "principal" else np.zeros(latent_dim)),
        "codes": packing.base64_of(places, "float32"),
        "labels": None if labels is None else [int(label) for label in labels[chosen]],
        "names": list(map(str, class_names)),
        "colours": list(plots.COLOURS),
        "directions": as_text(directions),
        "examples": [
            {"name": "" if labels is None else str(class_names[labels[i]]), "picture": picture(images[i])}
            for i in examples
        ],
        "extent": _extent(floats[0]),
        "note": plots.source_note(),
    }


def _classes(labels, class_names, number, where):
    if labels is None:
        return None, []
    labels = drawable.numbers(labels, f"{where}: labels")
    if labels.shape != (number,) or np.any(labels != np.floor(labels)) or labels.min() < 0:
        raise ValueError(
            f"{where}: labels of shape {labels.shape} for {number:,} images. One whole number an image is needed, from "
            "0 on; one-hot labels become numbers by labels.argmax(axis=1). Without labels, hand in None."
        )
    labels = labels.astype(int)
    names = [f"class {i}" for i in range(labels.max() + 1)] if class_names is None else list(class_names)
    if labels.max() >= len(names):
        raise ValueError(f"{where}: there is a label {labels.max()}, and {len(names)} class_names. Name every class.")
    if len(names) > len(plots.COLOURS):
        raise ValueError(
            f"{where}: {len(names)} classes, and {len(plots.COLOURS)} colours that can be told apart. Join some "
            "classes, or hand in None as labels."
        )
    return labels, names


def _directions(directions, latent_dim, where) -> Mapping[str, np.ndarray]:
    if directions is None:
        return {}
    directions = {
        str(name): drawable.numbers(vector, f"{where}: direction {name!r}")
        for name, vector in drawable.named(directions, f"{where}: directions").items()
    }
    for name, vector in directions.items():
        if vector.shape != (latent_dim,) or not np.any(vector):
            raise ValueError(
                f"{where}: direction {name!r} has the shape {vector.shape}. A difference of two codes is needed, "
                f"({latent_dim},), that is not all zeros."
            )
    return directions


def axes_of(codes, along, where) -> Mapping[str, np.ndarray]:
    """Unit vectors by name: the dimensions in which the codes vary most, or the principal directions of the codes."""
    if along not in ("dimensions", "principal"):
        raise ValueError(
            f"{where}: along={along!r}. Plane and sliders go along 'dimensions' or 'principal' directions."
        )
    latent_dim = codes.shape[1]
    if along == "dimensions":
        order = np.argsort(-codes.var(axis=0), kind="stable")[:AXES] if latent_dim > 2 else np.arange(2)
        return {f"dimension {axis + 1}": np.eye(latent_dim)[axis] for axis in order}
    if latent_dim == 2 or len(codes) < 3:
        raise ValueError(
            f"{where}: along='principal' for {len(codes)} images and {latent_dim} latent dimensions. Principal "
            "directions need three of each; leave along out."
        )
    vectors = np.linalg.svd(codes - codes.mean(axis=0), full_matrices=False)[2][:AXES].astype(np.float64)
    vectors *= np.sign(vectors[np.arange(len(vectors)), np.abs(vectors).argmax(axis=1)])[:, None]
    return {f"principal {i + 1}": vector for i, vector in enumerate(vectors)}


def as_text(vectors) -> list[dict]:
    return [{"name": name, "vector": _rounded(vector)} for name, vector in vectors.items()]


def _rounded(vector) -> list[float]:
    return [float(f"{x:.6g}") for x in vector]


def _networks(model, images, codes, where) -> dict:
    """Descriptions of both networks as text, checked against the model's distributions."""
    encoder, decoder = (layers.describe(_network(part, where), where) for part in (model.encoder, model.decoder))
    posterior, means = model.encoder(images, training=False), model.decoder(codes, training=False).mean().numpy()
    statistics = np.concatenate([posterior.mean(), 2 * np.log(posterior.stddev())], axis=-1)
    found = layers.compute(encoder, images)
    if found.shape != statistics.shape or not np.allclose(found, statistics, rtol=1e-2, atol=2e-2):
        raise ValueError(
            f"{where}: the encoder's network does not end in means and log variances side by side. Build the encoder "
            "as models.posterior_of(network)."
        )
    means = means.reshape(len(means), -1)
    if np.abs(layers.compute(decoder, codes) - means).mean() > 1 / 255:
        decoder.append(layers.activation("sigmoid"))  # what a network returns for a Bernoulli are logits
    if np.abs(layers.compute(decoder, codes) - means).mean() > 1 / 255:
        raise ValueError(
            f"{where}: the decoder's network returns neither means of pixels nor logits. Build the decoder as "
            "models.bernoulli_of(network) or models.gaussian_of(network, variance)."
        )
    weights = sum(layer["kernel"].size for layer in encoder + decoder if "kernel" in layer)
    for kind, width in packing.BYTES.items():
        if weights * width * 4 / 3 > MOST:
            continue
        # As it will be in the browser: floats are checked as bytes are.
        if np.abs(layers.compute(packing.rounded(decoder, kind), codes) - means).mean() <= 1 / 255:
            return {
                "encoder": packing.text_of(encoder, kind),
                "decoder": packing.text_of(decoder, kind),
                "precision": kind,
            }
    raise ValueError(
        f"{where}: encoder and decoder have {weights:,} weights, too many for a page of 4 MB ({MOST * 3 / 4:,.0f} as "
        "bytes, a quarter of that as float32). Take networks with fewer filters, or a smaller latent_dim."
    )


def _network(part, where):
    """The network below the distribution."""
    if not getattr(part, "layers", None):
        raise ValueError(f"{where}: a {type(part).__name__} has no layers. Build it as models.posterior_of(network).")
    return part.layers[0]


def typical(codes, labels) -> list[int]:
    """Of each class the image whose code is nearest to the class's median."""
    found = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        found.append(int(own[np.linalg.norm(codes[own] - np.median(codes[own], axis=0), axis=1).argmin()]))
    return found


def picture(image) -> str:
    """One image as a data URL: small ones exactly, larger ones as JPEG."""
    pixels = drawable.to_bytes(drawable.pixels(np.asarray(image), "explorer"))
    kind, file = ("PNG", io.BytesIO()) if pixels.size < 10_000 else ("JPEG", io.BytesIO())
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def _extent(images) -> float:
    """How much of an image's side its object takes, as a median: a drawing is scaled to that."""
    inked = images.max(axis=-1) > 0.2
    sides = [max(np.ptp(np.flatnonzero(image.any(axis=i))) + 1 for i in (0, 1)) for image in inked if image.any()]
    return float(np.median(sides) / images.shape[1]) if sides else 1.0
