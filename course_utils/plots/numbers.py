"""Numbers in figures: curves over epochs, and histograms under a density."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np

from course_utils.border import drawable
from course_utils.plots.style import BLUE, DARK, GREEN, MARKERS, ORANGE


def curves(history: Mapping[str, Sequence[float]], title: str, ylabel: str, xlabel: str = "epoch") -> None:
    """One line a name, with a marker at each epoch; the legend stands beside the lines.

    A line has a gap where its number is NaN or infinite, and the legend says how many there are.
    """
    history = {
        name: drawable.real(values, f"curves: {name!r}: numbers")
        for name, values in drawable.named(history, "curves: history").items()
    }
    for name, values in history.items():
        if values.ndim != 1:
            raise ValueError(f"curves: {name!r} has the shape {values.shape}; one number an epoch is needed.")
    _, axis = plt.subplots(figsize=(8, 4))
    for (name, values), marker in zip(history.items(), cycle(MARKERS), strict=False):
        lost = len(values) - np.count_nonzero(np.isfinite(values))
        label = f"{name} ({lost} of {len(values)} not finite)" if lost else name
        axis.plot(range(1, len(values) + 1), np.where(np.isfinite(values), values, np.nan), marker=marker, label=label)
    axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend()


def compare_histograms(
    samples: Mapping[str, np.ndarray], density=None, title: str = "", xlabel: str = "z", bins: int = 80
) -> None:
    """Histograms of several samples on one axis, each normalised to area 1, under the density they should follow.

    Args:
        samples: name -> numbers, any shape; three at most. Outlines differ in colour and dash, so they survive a grey
            print.
        density: a scalar TFP distribution, drawn in black; ``None`` for none.
    """
    values = {
        name: np.ravel(drawable.numbers(sample, f"compare_histograms: {name!r}: numbers"))
        for name, sample in drawable.named(samples, "compare_histograms: samples").items()
    }
    if len(values) > 3:
        raise ValueError(f"compare_histograms: {len(values)} samples; more than three cover each other. Take fewer.")
    if density is not None and not hasattr(density, "prob"):
        raise ValueError(
            f"compare_histograms: density is a {type(density).__name__}; a distribution is needed, for instance "
            "tfd.Normal(0.0, 1.0)."
        )
    edges = _bin_edges(list(values.values()), drawable.whole(bins, "compare_histograms: bins", 1))
    grid = np.linspace(edges[0], edges[-1], 400, dtype=np.float32)
    expected = None if density is None else drawable.real(density.prob(grid), "compare_histograms: the density")
    if expected is not None and expected.shape != grid.shape:
        raise ValueError(
            f"compare_histograms: the density gives the shape {expected.shape} for {len(grid)} numbers. A distribution "
            "of one number is needed, with batch shape () and event shape ()."
        )
    _, axis = plt.subplots(figsize=(8, 4))
    for (name, sample), colour, dash in zip(values.items(), (BLUE, ORANGE, GREEN), ("-", "--", ":"), strict=False):
        axis.hist(sample, edges, density=True, histtype="stepfilled", color=colour, alpha=0.25)
        axis.hist(sample, edges, density=True, histtype="step", color=colour, linestyle=dash, linewidth=2, label=name)
    if expected is not None:
        axis.plot(grid, expected, color=DARK, linewidth=1.5, label="density asked for")
    axis.set(title=title, xlabel=xlabel, ylabel="density (area 1)")
    axis.legend()


def _bin_edges(samples: list[np.ndarray], bins: int) -> np.ndarray:
    """Bins over all but the outermost numbers; over one unit where there is a single number."""
    low, high = np.percentile(np.concatenate(samples), [0.05, 99.95])
    if any(np.mean((low <= sample) & (sample <= high)) < 0.9 for sample in samples):
        # A small sample lies outside what holds nearly all of a large one: bins that hold nearly all of each.
        ends = np.array([np.quantile(sample, [0.0005, 0.9995], method="inverted_cdf") for sample in samples])
        low, high = ends[:, 0].min(), ends[:, 1].max()
    size = max(abs(low), abs(high))
    if high - low <= 4 * bins * np.spacing(size):
        middle, reach = (low + high) / 2, max(0.5, size / 1000)
        low, high = middle - reach, middle + reach
    return np.linspace(low, high, bins + 1)
