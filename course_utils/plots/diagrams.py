"""Diagrams of networks: how many numbers an image is on its way through one."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyBboxPatch, Polygon

from course_utils.border import drawable
from course_utils.plots.style import BLUE, DARK, GREEN, ORANGE

WIDTH, STEP = 0.42, 1.5  # of a layer, and from one layer to the next; images are 2.2 high


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
    sizes = [drawable.whole(size, "autoencoder_diagram: size of a layer", 1) for size in sizes]
    middle = sizes.index(min(sizes)) if sizes else 0
    if middle in (0, len(sizes) - 1) or sizes.count(min(sizes)) > 1:
        raise ValueError(
            f"autoencoder_diagram: the layers have the sizes {sizes}. One between the first and the last has to be the "
            "smallest: the bottleneck."
        )
    places, heights = STEP * np.arange(len(sizes)), 0.5 + 0.3 * np.log2(sizes)
    left, right = places[0] - (3.4 if image is not None else 1), places[-1] + (3.4 if reconstruction is not None else 1)
    figure, axis = plt.subplots(figsize=(12, 4.1))
    axis.set(xlim=(left, right), ylim=(-2.75, 2.5), aspect="equal")
    axis.axis("off")
    axis.set_title(title)
    for index in range(len(sizes) - 1):
        colour = BLUE if index < middle else ORANGE
        ends = [places[index] + WIDTH / 2, places[index + 1] - WIDTH / 2]
        high, low = heights[index] / 2, heights[index + 1] / 2
        corners = [(ends[0], -high), (ends[0], high), (ends[1], low), (ends[1], -low)]
        axis.add_patch(Polygon(corners, facecolor=colour, alpha=0.22, linewidth=0))
    for index, (size, place, height) in enumerate(zip(sizes, places, heights, strict=True)):
        colour = GREEN if index == middle else BLUE if index < middle else ORANGE
        corner = (place - WIDTH / 2, -height / 2)
        axis.add_patch(FancyBboxPatch(corner, WIDTH, height, "round,pad=0,rounding_size=0.1", fc=colour, ec=DARK, lw=1))
        axis.text(place, -height / 2 - 0.12, f"{size:,}", ha="center", va="top", fontsize=13)
    parts = {"encoder  $f_\\phi$": places[: middle + 1], "decoder  $g_\\theta$": places[middle:]}
    for (name, span), colour in zip(parts.items(), (BLUE, ORANGE), strict=True):
        axis.annotate(
            "", (span[-1], -2.25), (span[0], -2.25), arrowprops={"arrowstyle": "->", "color": colour, "lw": 2}
        )
        axis.text(span.mean(), -2.35, name, ha="center", va="top", fontsize=15)
    axis.text(places[middle], heights[middle] / 2 + 0.15, f"code ${code}$", ha="center", va="bottom", fontsize=15)
    for shown, name, side in ((image, "$x$", -1), (reconstruction, "$\\hat{x}$", 1)):
        if shown is not None:
            _draw_beside(axis, shown, name, places[0] if side < 0 else places[-1], side)


def _draw_beside(axis, image: np.ndarray, name: str, place: float, side: int) -> None:
    image = drawable.to_bytes(drawable.images(np.asarray(image)[None], "autoencoder_diagram: an image"))[0]
    near, far = place + side * 0.95, place + side * 3.15
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    axis.imshow(pixels, vmin=0, vmax=255, extent=(min(near, far), max(near, far), -1.1, 1.1), zorder=3)
    axis.text((near + far) / 2, 1.25, name, ha="center", va="bottom", fontsize=17)
    start, end = (near, place - WIDTH / 2) if side < 0 else (place + WIDTH / 2, near)
    axis.annotate("", (end, 0), (start, 0), arrowprops={"arrowstyle": "->", "color": DARK, "lw": 2})
