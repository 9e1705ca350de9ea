"""Diagrams of networks: how many numbers an image is on its way through one."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle, FancyBboxPatch, Polygon

from course_utils.border import drawable
from course_utils.plots.style import BLUE, DARK, GREEN, ORANGE

WIDTH, STEP = 0.42, 1.5  # of a layer, and from one layer to the next; images are 2.2 high
SIDE = 3.4  # what an image takes beside the first or the last layer
ARROW = {"arrowstyle": "->", "color": DARK, "lw": 2}


def autoencoder_diagram(
    sizes: Sequence[int],
    image: np.ndarray | None = None,
    reconstruction: np.ndarray | None = None,
    title: str = "",
    code: str = "z",
) -> None:
    """An autoencoder from left to right: a bar for each layer, the higher the more numbers it holds (logarithmically).

    Lesson 01 begins with it. The layers before the smallest one are the encoder's, those after it the decoder's.

    Args:
        sizes: numbers in each layer, input and output included, for instance ``(784, 256, 64, 2, 64, 256, 784)``.
        image: ``(height, width, channels)``, uint8 or floats in [0, 1], shown before the first layer.
        reconstruction: the same, shown behind the last one.
        code: what is written over the smallest layer.

    Raises:
        ValueError: unless one layer between the first and the last is smaller than all others.
    """
    sizes, middle = _bottleneck(sizes, "autoencoder_diagram")
    places = STEP * np.arange(len(sizes))
    axis = _page(places, image, reconstruction, title)
    for index in range(len(sizes) - 1):
        _wedge(axis, places[index : index + 2], sizes[index : index + 2], BLUE if index < middle else ORANGE)
    for index, (place, size) in enumerate(zip(places, sizes, strict=True)):
        _bar(axis, place, size, GREEN if index == middle else BLUE if index < middle else ORANGE)
    _name(axis, places[: middle + 1], "encoder  $f_\\phi$", BLUE)
    _name(axis, places[middle:], "decoder  $g_\\theta$", ORANGE)
    axis.text(places[middle], _height(sizes[middle]) / 2 + 0.15, f"code ${code}$", ha="center", va="bottom", size=15)
    _beside(axis, image, "$x$", places[0], -1, "autoencoder_diagram")
    _beside(axis, reconstruction, "$\\hat{x}$", places[-1], 1, "autoencoder_diagram")


def vae_diagram(
    sizes: Sequence[int],
    image: np.ndarray | None = None,
    reconstruction: np.ndarray | None = None,
    title: str = "",
) -> None:
    """A variational autoencoder in the style of ``autoencoder_diagram``, with the two terms of its loss.

    Lesson 03 begins with it. The encoder ends in a mean and a log variance; the code is computed from them and noise.

    Args and errors: those of ``autoencoder_diagram``.
    """
    sizes, middle = _bottleneck(sizes, "vae_diagram")
    places = STEP * np.arange(len(sizes)) + np.where(np.arange(len(sizes)) < middle, 0, 2 * STEP)
    code, before, ends, z = sizes[middle], places[middle - 1], places[middle] - 2 * STEP, places[middle]
    axis = _page(places, image, reconstruction, title)
    axis.set_ylim(-3.5, 2.5)
    for up, name in ((1.0, "mean  $\\mu$"), (-1.0, "log variance  $\\ell$")):
        _wedge(axis, (before, ends), (sizes[middle - 1], code), BLUE, up)
        _bar(axis, ends, code, BLUE, up, written=False)
        edge = up + np.sign(up) * (_height(code) / 2 + 0.12)
        axis.text(ends, edge, name, ha="center", va="bottom" if up > 0 else "top", size=13)
        axis.annotate("", (z - WIDTH / 2, 0.15 * up), (ends + WIDTH / 2, up), arrowprops=ARROW)
    for index in (*range(middle - 1), *range(middle, len(sizes) - 1)):
        _wedge(axis, places[index : index + 2], sizes[index : index + 2], BLUE if index < middle else ORANGE)
    for index, (place, size) in enumerate(zip(places, sizes, strict=True)):
        _bar(axis, place, size, GREEN if index == middle else BLUE if index < middle else ORANGE)
    axis.text(
        z + 0.25, _height(code) / 2 + 0.5, "$z = \\mu + e^{\\ell/2}\\,\\varepsilon$", ha="right", va="bottom", size=15
    )
    noise = (z - 0.3, -1.9)
    axis.add_patch(Circle(noise, 0.32, fc="white", ec=DARK, lw=2, ls="--"))
    axis.text(*noise, "$\\varepsilon$", ha="center", va="center", size=17)
    axis.annotate("", (z - 0.1, -_height(code) / 2 - 0.6), (z - 0.2, -1.6), arrowprops=ARROW)
    _name(axis, [places[0], ends], "encoder, pays KL$\\,(q(z|x) \\parallel p(z))$", BLUE, -2.8)
    _name(axis, places[middle:], "decoder, pays $-\\log\\, p(x|z)$", ORANGE, -2.8)
    _beside(axis, image, "$x$", places[0], -1, "vae_diagram")
    _beside(axis, reconstruction, "mean of $p(x|z)$", places[-1], 1, "vae_diagram")


def _bottleneck(sizes: Sequence[int], caller: str) -> tuple[list[int], int]:
    """The sizes as whole numbers, and which of them is the smallest."""
    sizes = [drawable.whole(size, f"{caller}: size of a layer", 1) for size in sizes]
    middle = sizes.index(min(sizes)) if sizes else 0
    if middle in (0, len(sizes) - 1) or sizes.count(min(sizes)) > 1:
        raise ValueError(
            f"{caller}: the layers have the sizes {sizes}. One between the first and the last has to be the smallest: "
            "the bottleneck."
        )
    return sizes, middle


def _page(places, image, reconstruction, title: str):
    axis = plt.subplots(figsize=(12, 4.1))[1]
    left, right = places[0] - (1 if image is None else SIDE), places[-1] + (1 if reconstruction is None else SIDE)
    axis.set(xlim=(left, right), ylim=(-2.75, 2.5), aspect="equal")
    axis.axis("off")
    axis.set_title(title)
    return axis


def _height(size: int) -> float:
    return 0.5 + 0.3 * np.log2(size)


def _wedge(axis, places, sizes, colour: str, up: float = 0.0) -> None:
    """From a bar to the next one, which stands `up` higher."""
    start, end = places[0] + WIDTH / 2, places[1] - WIDTH / 2
    high, low = _height(sizes[0]) / 2, _height(sizes[1]) / 2
    corners = [(start, -high), (start, high), (end, up + low), (end, up - low)]
    axis.add_patch(Polygon(corners, facecolor=colour, alpha=0.22, linewidth=0))


def _bar(axis, place: float, size: int, colour: str, up: float = 0.0, written: bool = True) -> None:
    corner = (place - WIDTH / 2, up - _height(size) / 2)
    axis.add_patch(FancyBboxPatch(corner, WIDTH, _height(size), "round,pad=0,rounding_size=0.1", fc=colour, ec=DARK))
    if written:
        axis.text(place, up - _height(size) / 2 - 0.12, f"{size:,}", ha="center", va="top", size=13)


def _name(axis, places, name: str, colour: str, height: float = -2.25) -> None:
    axis.annotate("", (places[-1], height), (places[0], height), arrowprops=ARROW | {"color": colour})
    axis.text((places[0] + places[-1]) / 2, height - 0.1, name, ha="center", va="top", size=15)


def _beside(axis, image: np.ndarray | None, name: str, place: float, side: int, caller: str) -> None:
    if image is None:
        return
    image = drawable.to_bytes(drawable.images(np.asarray(image)[None], f"{caller}: an image"))[0]
    near, far = place + side * 0.95, place + side * 3.15
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    axis.imshow(pixels, vmin=0, vmax=255, extent=(min(near, far), max(near, far), -1.1, 1.1), zorder=3)
    axis.text((near + far) / 2, 1.25, name, ha="center", va="bottom", size=17)
    start, end = (near, place - WIDTH / 2) if side < 0 else (place + WIDTH / 2, near)
    axis.annotate("", (end, 0), (start, 0), arrowprops=ARROW)
