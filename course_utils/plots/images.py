"""Images in figures: one array of many, a grid with titles, rows to compare."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from course_utils.border import drawable

MOST = 1000  # images in one figure; more take minutes, and nobody sees them


def mosaic(images: np.ndarray, columns: int, gap: int = 0) -> np.ndarray:
    """Images side by side in one array.

    Args:
        images: shape ``(number, height, width, channels)``, uint8 or floats in [0, 1]; ``number`` is a multiple of
            ``columns``.
        gap: white pixels between neighbours.

    Returns:
        uint8, ``(rows * height, columns * width)`` for one channel, with a last axis of 3 for colour; gaps included.

    Raises:
        ValueError: unless the images fill whole rows.
    """
    images = drawable.to_bytes(drawable.images(images, "mosaic: images"))
    columns, gap = drawable.whole(columns, "mosaic: columns", 1), drawable.whole(gap, "mosaic: gap", 0)
    number, height, width, channels = images.shape
    if number % columns:
        raise ValueError(f"mosaic: {number} images do not fill rows of {columns}.")
    images = np.pad(images, ((0, 0), (0, gap), (0, gap), (0, 0)), constant_values=255)
    grid = images.reshape(-1, columns, height + gap, width + gap, channels).transpose(0, 2, 1, 3, 4)
    grid = grid.reshape(-1, columns * (width + gap), channels)
    grid = grid[: grid.shape[0] - gap or None, : grid.shape[1] - gap or None]
    return grid[..., 0] if channels == 1 else grid


def show_images(
    images: np.ndarray, titles: Sequence[str] | None = None, columns: int = 10, title: str = "", size: float = 1.0
) -> None:
    """A grid of images with an optional title over each.

    Args:
        images: ``(number, height, width, channels)``, uint8 or floats in [0, 1].
        titles: as many as there are images.
        size: inches across an image.
    """
    images = drawable.images(images, "show_images: images")
    _refuse_too_many(len(images), "show_images")
    columns, size = drawable.whole(columns, "show_images: columns", 1), drawable.positive(size, "show_images: size")
    titles = _titles(titles, len(images), "show_images: titles", "images")
    rows, high = -(-len(images) // columns), size * images.shape[1] / images.shape[2] + (0.22 if len(titles) else 0)
    figure, axes = plt.subplots(rows, columns, figsize=(columns * size, rows * high + 0.45), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, image in zip(axes.flat, images, strict=False):
        _draw_image(axis, image)
    for axis, text in zip(axes.flat, titles, strict=False):
        axis.set_title(text, fontsize=10, pad=2)
    figure.suptitle(title, fontsize=14)


def compare_rows(
    rows: Mapping[str, np.ndarray], column_titles: Sequence[str] | None = None, title: str = "", size: float = 0.95
) -> None:
    """Rows of images under each other, each with its name on the left: originals over reconstructions, say.

    Args:
        rows: name -> ``(number, height, width, channels)``; a row with fewer images than the longest ends earlier.
        column_titles: as many as the longest row has images.
        size: inches an image.
    """
    rows = {
        name: drawable.images(images, f"compare_rows: {name!r}: images")
        for name, images in drawable.named(rows, "compare_rows: rows").items()
    }
    _refuse_too_many(sum(len(images) for images in rows.values()), "compare_rows")
    size, columns = drawable.positive(size, "compare_rows: size"), max(len(images) for images in rows.values())
    column_titles = _titles(column_titles, columns, "compare_rows: column_titles", "columns")
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(columns * size + 1.6, len(rows) * size + 0.75), squeeze=False
    )
    for row_axes, (name, images) in zip(axes, rows.items(), strict=True):
        for axis, image in zip(row_axes, images, strict=False):
            _draw_image(axis, image)
        for axis in row_axes[len(images) :]:
            axis.axis("off")
        row_axes[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=12)
    for axis, text in zip(axes[0], column_titles, strict=False):
        axis.set_title(text, fontsize=10, pad=3)
    figure.suptitle(title, fontsize=14)


def _refuse_too_many(number: int, what: str) -> None:
    if number > MOST:
        raise ValueError(
            f"{what}: {number:,} images; a figure takes {MOST:,} at most. Show some, images[:100], or make one "
            "picture of all with plots.mosaic."
        )


def _titles(titles: Sequence[str] | None, number: int, what: str, of: str) -> Sequence[str]:
    if titles is not None and len(titles) != number:
        raise ValueError(f"{what}: {len(titles)} for {number} {of}. Hand in one for each, or None.")
    return [] if titles is None else titles


def _draw_image(axis, image: np.ndarray) -> None:
    limits = {} if image.dtype == np.uint8 else {"vmin": 0, "vmax": 1}
    if image.dtype == np.uint8 and image.shape[-1] == 1:
        limits = {"vmin": 0, "vmax": 255}
    axis.imshow(image[..., 0] if image.shape[-1] == 1 else image, **limits)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
