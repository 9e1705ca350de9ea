"""Figures of the course: readable in a lecture hall, colour-blind-safe, and honest about drawn images.

Importing this module sets the course's matplotlib style. Nothing here knows how a model is trained.
"""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.patheffects as effects
import matplotlib.pyplot as plt
import numpy as np

# Paul Tol's "muted" scheme, told apart under the common colour-vision deficiencies, with a dark grey as the tenth.
COLOURS = ("#332288", "#CC6677", "#117733", "#88CCEE", "#DDCC77", "#882255", "#44AA99", "#999933", "#AA4499", "#555555")
MARKERS = ("o", "s", "^", "v", "D", "P", "X", "<", ">", "*")
BLUE, ORANGE, GREEN, DARK = "#0072B2", "#E69F00", "#009E73", "#222222"

mpl.rcParams.update(
    {
        "figure.dpi": 90,
        "figure.constrained_layout.use": True,
        "figure.hooks": ["course_utils.plots:_add_source_note"],
        "font.size": 13,
        "axes.titlesize": 14,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": mpl.cycler(color=[BLUE, ORANGE, GREEN, "#CC79A7", "#D55E00", "#56B4E9"]),
        "legend.frameon": False,
        "image.cmap": "gray",
        "lines.linewidth": 2,
    }
)

_note = ""


def label_source(image_set) -> None:
    """From here on, every figure says so if its images were drawn in code (``data.ImageSet``)."""
    global _note
    _note = "" if image_set.is_real else f"images drawn in code, not {image_set.name}"


def source_note() -> str:
    """What ``label_source`` last set; empty for real images."""
    return _note


def _add_source_note(figure) -> None:
    if _note:
        figure.text(0.995, 0.002, _note, ha="right", va="bottom", fontsize=10, style="italic", color="#882255")
        figure.get_layout_engine().set(rect=(0, 0.035, 1, 0.965))


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
    images = np.asarray(images)
    number, height, width, channels = images.shape
    if number % columns:
        raise ValueError(f"mosaic: {number} images do not fill rows of {columns}.")
    if images.dtype != np.uint8:
        images = np.rint(255 * np.clip(images, 0, 1)).astype(np.uint8)
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
        size: inches across an image.
    """
    rows, high = -(-len(images) // columns), size * images.shape[1] / images.shape[2] + (0.22 if titles else 0)
    figure, axes = plt.subplots(rows, columns, figsize=(columns * size, rows * high + 0.45), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for index, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        _draw_image(axis, image)
        if titles is not None:
            axis.set_title(titles[index], fontsize=10, pad=2)
    figure.suptitle(title, fontsize=14)


def compare_rows(
    rows: Mapping[str, np.ndarray], column_titles: Sequence[str] | None = None, title: str = "", size: float = 0.95
) -> None:
    """Rows of images under each other, each with its name on the left: originals over reconstructions, say.

    Args:
        rows: name -> ``(number, height, width, channels)``, the same number in each.
        size: inches an image.
    """
    columns = min(len(images) for images in rows.values())
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(columns * size + 1.6, len(rows) * size + 0.75), squeeze=False
    )
    for row_axes, (name, images) in zip(axes, rows.items(), strict=True):
        for axis, image in zip(row_axes, images, strict=False):
            _draw_image(axis, image)
        row_axes[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=12)
    if column_titles is not None:
        for axis, text in zip(axes[0], column_titles, strict=False):
            axis.set_title(text, fontsize=10, pad=3)
    figure.suptitle(title, fontsize=14)


def _draw_image(axis, image) -> None:
    image = np.asarray(image)
    limits = {} if image.dtype == np.uint8 else {"vmin": 0, "vmax": 1}
    if image.dtype == np.uint8 and image.shape[-1] == 1:
        limits = {"vmin": 0, "vmax": 255}
    axis.imshow(image[..., 0] if image.shape[-1] == 1 else image, **limits)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)


def _pushed_apart(places: list[np.ndarray], room: np.ndarray) -> list[np.ndarray]:
    """Text positions moved up and down until no two are closer than ``room`` (width, height)."""
    for _ in range(100):
        for first in range(len(places)):
            for second in range(first):
                across, up = places[first] - places[second]
                if abs(across) < room[0] and abs(up) < room[1]:
                    shift = np.array([0.0, (room[1] - abs(up)) / 2 * (1 if up >= 0 else -1)])
                    places[first], places[second] = places[first] + shift, places[second] - shift
    return places


def latent_plane(
    axis, codes: np.ndarray, labels: np.ndarray, class_names: Sequence[str], title: str = "", name_classes: bool = True
) -> None:
    """Codes in the plane: one colour and one marker a class, and each class's name at its median.

    Args:
        axis: matplotlib axes.
        codes: ``(number, 2)``, in units of the latent space.
    """
    codes, labels = np.asarray(codes), np.asarray(labels)
    for index in range(len(class_names)):
        chosen = codes[labels == index]
        axis.scatter(*chosen.T, s=7, color=COLOURS[index], marker=MARKERS[index], alpha=0.55, linewidths=0)
    present = [index for index in range(len(class_names)) if np.any(labels == index)] if name_classes else []
    extent = np.ptp(codes, axis=0)
    places = _pushed_apart([np.median(codes[labels == index], axis=0) for index in present], (0.2, 0.045) * extent)
    for index, place in zip(present, places, strict=True):
        text = axis.text(*place, class_names[index], fontsize=11, ha="center", va="center", weight="bold")
        text.set_path_effects([effects.withStroke(linewidth=3, foreground="white")])
    axis.set_title(title)
    axis.set_xlabel("first latent dimension")
    axis.set_ylabel("second latent dimension")


def curves(history: Mapping[str, Sequence[float]], title: str, ylabel: str, xlabel: str = "epoch") -> None:
    """One line a name, with a marker at each epoch; the legend stands beside the lines."""
    figure, axis = plt.subplots(figsize=(8, 4))
    for name, marker, values in zip(history, MARKERS, history.values(), strict=False):
        axis.plot(range(1, len(values) + 1), values, marker=marker, label=name)
    axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend()


def compare_histograms(
    samples: Mapping[str, np.ndarray], density=None, title: str = "", xlabel: str = "z", bins: int = 80
) -> None:
    """Histograms of several samples on one axis, each normalised to area 1, under the density they should follow.

    Args:
        samples: name -> numbers, any shape. Outlines differ in colour and dash, so they survive a grey print.
        density: a scalar TFP distribution, drawn in black; ``None`` for none.
    """
    _, axis = plt.subplots(figsize=(8, 4))
    values = {name: np.ravel(sample) for name, sample in samples.items()}
    edges = np.linspace(*np.percentile(np.concatenate(list(values.values())), [0.05, 99.95]), bins + 1)
    for (name, sample), colour, dash in zip(values.items(), (BLUE, ORANGE, GREEN), ("-", "--", ":"), strict=False):
        axis.hist(sample, edges, density=True, histtype="stepfilled", color=colour, alpha=0.25)
        axis.hist(sample, edges, density=True, histtype="step", color=colour, linestyle=dash, linewidth=2, label=name)
    if density is not None:
        grid = np.linspace(edges[0], edges[-1], 400, dtype=np.float32)
        axis.plot(grid, density.prob(grid), color=DARK, linewidth=1.5, label="density asked for")
    axis.set(title=title, xlabel=xlabel, ylabel="density (area 1)")
    axis.legend()
