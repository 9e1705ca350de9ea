"""How figures of the course look: colours, markers, matplotlib's settings, and the note on images drawn in code.

Importing this file sets the course's matplotlib style. Lessons reach its names through ``plots``.
"""

import matplotlib as mpl

# Paul Tol's "muted" scheme, told apart under the common colour-vision deficiencies, with a dark grey as the tenth.
COLOURS = ("#332288", "#CC6677", "#117733", "#88CCEE", "#DDCC77", "#882255", "#44AA99", "#999933", "#AA4499", "#555555")
MARKERS = ("o", "s", "^", "v", "D", "P", "X", "<", ">", "*")
BLUE, ORANGE, GREEN, DARK = "#0072B2", "#E69F00", "#009E73", "#222222"

mpl.rcParams.update(
    {
        "figure.dpi": 90,
        "figure.constrained_layout.use": True,
        "figure.hooks": ["course_utils.plots.style:add_source_note"],
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
    """From here on, every figure says so if its images were drawn in code (``data.ImageSet``).

    Raises:
        ValueError: for anything without the set's ``is_real`` and ``name``, such as its images alone.
    """
    global _note
    if not (hasattr(image_set, "is_real") and hasattr(image_set, "name")):
        raise ValueError(
            f"label_source: a {type(image_set).__name__} does not say where its images come from. Hand in the set that "
            "a loader of course_utils.data returns, not its images."
        )
    _note = "" if image_set.is_real else f"images drawn in code, not {image_set.name}"


def source_note() -> str:
    """What ``label_source`` last set; empty for real images."""
    return _note


def add_source_note(figure) -> None:
    """The note in the lower right corner of a new figure; matplotlib calls it for each one."""
    if _note:
        figure.text(0.995, 0.002, _note, ha="right", va="bottom", fontsize=10, style="italic", color="#882255")
        figure.get_layout_engine().set(rect=(0, 0.035, 1, 0.965))
