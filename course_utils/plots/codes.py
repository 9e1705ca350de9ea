"""Codes of images in the latent plane, coloured by class."""

from collections.abc import Sequence

import matplotlib.patheffects as effects
import numpy as np

from course_utils.border import drawable
from course_utils.plots.style import COLOURS, MARKERS


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
        labels: ``(number,)``, whole numbers that count along ``class_names``.
        class_names: ten at most.
    """
    if not hasattr(axis, "scatter"):
        raise ValueError(
            f"latent_plane: axis is a {type(axis).__name__}; one matplotlib axes is needed: "
            "figure, axis = plt.subplots(), or one of several, axes[0]."
        )
    codes, labels = drawable.numbers(codes, "latent_plane: codes"), drawable.numbers(labels, "latent_plane: labels")
    _refuse_unplottable(codes, labels, len(class_names))
    for index in range(len(class_names)):
        chosen = codes[labels == index]
        axis.scatter(*chosen.T, s=7, color=COLOURS[index], marker=MARKERS[index], alpha=0.55, linewidths=0)
    present = [index for index in range(len(class_names)) if np.any(labels == index)] if name_classes else []
    extent = np.ptp(codes, axis=0)
    around_one_value = 0.1 * np.where(codes[0] == 0, 1, np.abs(codes[0]))  # what matplotlib then shows, about
    extent = np.where(extent > 0, extent, around_one_value)
    places = _pushed_apart([np.median(codes[labels == index], axis=0) for index in present], (0.2, 0.045) * extent)
    for index, place in zip(present, places, strict=True):
        text = axis.text(*place, class_names[index], fontsize=11, ha="center", va="center", weight="bold")
        text.set_path_effects([effects.withStroke(linewidth=3, foreground="white")])
    axis.set_title(title)
    axis.set_xlabel("first latent dimension")
    axis.set_ylabel("second latent dimension")


def _refuse_unplottable(codes: np.ndarray, labels: np.ndarray, classes: int) -> None:
    if codes.ndim != 2 or codes.shape[1] != 2:
        raise ValueError(
            f"latent_plane: codes have the shape {codes.shape}; (number, 2) is needed. Choose two dimensions, "
            "codes[:, :2], or project them (PCA, t-SNE)."
        )
    if labels.shape != codes.shape[:1]:
        raise ValueError(
            f"latent_plane: labels have the shape {labels.shape} for {len(codes)} codes; ({len(codes)},) is needed. "
            "Cut both to the same images; one-hot labels become numbers by labels.argmax(axis=1)."
        )
    if not classes:
        raise ValueError("latent_plane: class_names is empty. Hand in a name for each class.")
    if classes > len(COLOURS):
        raise ValueError(
            f"latent_plane: {classes} classes, and {len(COLOURS)} colours that can be told apart. Draw the "
            f"{len(COLOURS)} most frequent classes, or join some."
        )
    strange = labels[~np.isin(labels, np.arange(classes))]
    if len(strange):
        raise ValueError(
            f"latent_plane: {len(strange):,} of {len(labels):,} labels, {strange[0]} for one, are no number of a "
            f"class. There are {classes} class_names, so labels are whole numbers from 0 to {classes - 1}."
        )
