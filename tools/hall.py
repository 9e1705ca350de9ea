"""The lessons' figures for a lecture hall: the same figures, from the same run, with larger type and thicker lines.

While `make notebooks` executes a lesson, every figure that it shows is drawn a second time, larger, into a scratch
folder (`install`, called when the kernel starts). Afterwards this keeps those that a deck shows, in slides/figures/:

    python tools/hall.py notebooks/05_fashion_mnist_vae.ipynb build/hall/05

A PNG there says in its text fields which cell it was drawn by (a digest of the cell's code) and how large its type is.
"""

import hashlib
import itertools
import os
import re
import sys
import textwrap
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.text import Text

FIGURES = Path(__file__).parents[1] / "slides" / "figures"
WIDTH, HEIGHT = 1180, 530  # of a picture on a slide of 1280x720
TYPE = 23  # pixels high on the slide, where the figure has room


def digest(code: str) -> str:
    """What tells whether a cell has changed."""
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def path_of(lesson: str, alt: str) -> Path:
    """Where the figure with this text alternative is kept."""
    return FIGURES / f"{lesson}_{'_'.join(re.findall('[a-z0-9]+', alt.lower())[:8])}.png"


def wrapped(text, width: float, renderer) -> None:
    """Break a title into as few lines as are no wider than `width` pixels, and into equal ones."""
    needed, words = text.get_window_extent(renderer).width, " ".join(text.get_text().split())
    if needed <= width:
        return
    longest = int(max(map(len, text.get_text().splitlines())) * width / needed)
    count = len(textwrap.wrap(words, longest))
    shortest = next(each for each in range(1, longest + 1) if len(textwrap.wrap(words, each)) <= count)
    text.set_text(textwrap.fill(words, shortest))


def parted(axis, renderer) -> None:
    """Where two tick labels of an axis touch: hide every second number; break names at their blanks."""
    labels = [label for label in axis.get_ticklabels() if label.get_text() and label.get_visible()]
    boxes = [label.get_window_extent(renderer).expanded(1.04, 0.8) for label in labels]
    if not any(first.overlaps(second) for first, second in itertools.pairwise(boxes)):
        return
    if any(re.search("[A-Za-z] ", label.get_text()) for label in labels):
        axis.set_ticks(axis.get_ticklocs(), [label.get_text().replace(" ", "\n", 1) for label in labels])
    else:
        for label in labels[1::2]:
            label.set_visible(False)


def push_apart(ax) -> None:
    """Move the names of classes, which stand at their codes, up and down until none covers another."""
    names = [text for text in ax.texts if type(text) is Text and len(text.get_text()) > 2 and not text.get_rotation()]
    for _ in range(100):
        moved = False
        for first, second in itertools.combinations(names, 2):
            low, high = sorted((first, second), key=lambda text: text.get_window_extent().y0)
            under, over = low.get_window_extent(), high.get_window_extent()
            if under.overlaps(over):
                moved = True
                for text, step in ((low, under.y0 - under.y1), (high, under.y1 - under.y0)):
                    x, y = text.get_transform().transform(text.get_position())
                    text.set_position(text.get_transform().inverted().transform((x, y + step / 8)))
        if not moved:
            return


def below_label(ax, renderer) -> None:
    """Move a legend that stands under the axes, and has grown into their label, below it."""
    legend, label = ax.get_legend(), ax.xaxis.label.get_window_extent(renderer)
    if legend is not None and ax.get_xlabel() and legend.get_window_extent(renderer).overlaps(label):
        down = legend.get_window_extent(renderer).y1 - label.y0 + 4
        place = legend.get_bbox_to_anchor().transformed(ax.transAxes.inverted())
        place = place.translated(0, -down / ax.get_window_extent(renderer).height)
        legend.set_bbox_to_anchor(place, transform=ax.transAxes)


def enlarge_drawings(figure, drawings: list, pixel: float) -> None:
    """Larger type in diagrams, whose texts have their places: as large as it can be without two that touch."""
    texts = [text for ax in drawings for text in ax.texts if text.get_text()]
    sizes, room = [text.get_size() for text in texts], figure.bbox.padded(-2)
    smallest = min(sizes, default=TYPE)
    for least in [*np.arange(min(TYPE / pixel, 1.6 * smallest), smallest, -0.5), smallest]:
        for text, size in zip(texts, sizes, strict=True):
            text.set_size(max(size, least))
        figure.canvas.draw()
        boxes = [(text.get_bbox_patch() or text).get_window_extent().padded(3) for text in texts]
        pairs = itertools.combinations([*boxes, *(ax.title.get_window_extent() for ax in drawings)], 2)
        inside = [room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 and box.y1 <= room.y1 for box in boxes]
        if all(inside) and not any(first.overlaps(second) for first, second in pairs):
            return


def enlarge(figure) -> float:
    """Larger type, thicker lines, wrapped titles, in place. Returns the type's height in pixels on a slide."""
    shown = min(WIDTH / figure.bbox.width, HEIGHT / figure.bbox.height)
    pixel = figure.dpi / 72 * shown
    drawings = [ax for ax in figure.axes if not ax.axison]
    charts = [ax for ax in figure.axes if ax.axison]
    usual = max((ax.xaxis.label.get_size() for ax in charts), default=13)
    factor = min(max(TYPE / (usual * pixel), 1), 1.6)
    ticks = set()
    for ax in charts:
        for axis in (ax.xaxis, ax.yaxis):
            labels = [label for label in axis.get_ticklabels("both") if label.get_text()]
            ticks |= set(map(id, labels))
            if labels:
                axis.set_tick_params(labelsize=labels[0].get_size() * factor, width=1.5)
        for spine in ax.spines.values():
            spine.set_linewidth(1.5)
        for line in ax.findobj(Line2D):
            line.set_linewidth(line.get_linewidth() * 1.3)
            line.set_markersize(line.get_markersize() * 1.15)
    fixed = {id(text) for ax in drawings for text in ax.texts}
    for text in figure.findobj(Text):
        if text.get_text() and id(text) not in ticks | fixed:
            text.set_size(text.get_size() * factor)
    enlarge_drawings(figure, drawings, pixel)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    boxes = {ax: ax.get_window_extent(renderer) for ax in figure.axes if ax.get_title()}
    for ax, box in boxes.items():  # a title may reach half-way to its neighbours' axes
        others = [other for other in boxes.values() if other is not box]
        right = min((other.x0 for other in others if other.x0 > box.x1), default=2 * figure.bbox.width - box.x1)
        left = max((other.x1 for other in others if other.x1 < box.x0), default=-box.x0)
        middle = (box.x0 + box.x1) / 2
        wrapped(ax.title, 1.94 * min((right + box.x1) / 2 - middle, middle - (left + box.x0) / 2), renderer)
    if figure._suptitle is not None:
        wrapped(figure._suptitle, figure.bbox.width * 0.97, renderer)
    figure.canvas.draw()
    for ax in charts:
        push_apart(ax)
        below_label(ax, renderer)
        parted(ax.xaxis, renderer)
        parted(ax.yaxis, renderer)
    return usual * factor * pixel


def install() -> None:
    """From here on, in this kernel, a figure that is shown is also written to $COURSE_HALL, named by its cell."""
    from IPython import get_ipython
    from IPython.core import pylabtools

    folder, show = Path(os.environ["COURSE_HALL"]), pylabtools.print_figure
    folder.mkdir(parents=True, exist_ok=True)
    cell = 0  # as in the notebook: the shell's own count may be one further when a cell's figures are shown

    def begin(info):
        nonlocal cell
        cell += info.store_history

    def show_and_draw_again(figure, fmt="png", **options):
        shown = show(figure, fmt, **options)
        if shown is not None:
            draw(figure, folder / f"{cell}_{len(list(folder.glob(f'{cell}_*')))}.png")
        return shown

    get_ipython().events.register("pre_run_cell", begin)
    pylabtools.print_figure = show_and_draw_again


def draw(figure, path: Path) -> None:
    """Write the larger figure as PNG, sharp enough for a projector of 1920x1080."""
    height = enlarge(figure)
    scale = min(1.25 * WIDTH / figure.bbox.width, 1.25 * HEIGHT / figure.bbox.height, 1.6)
    figure.savefig(path, dpi=scale * figure.dpi, bbox_inches="tight", metadata={"Type": f"{height:.1f}"})


def keep(notebook: Path, drawn: Path) -> None:
    """Copy the figures that decks show from the scratch folder to slides/figures/, few colours, with their digest."""
    import nbformat
    from PIL import Image, PngImagePlugin

    lesson = notebook.name.split("_")[0]
    decks = "\n".join(path.read_text(encoding="utf-8") for path in FIGURES.parent.glob("[0-9]*.md"))
    wanted = tuple(begins for number, begins in re.findall(r"!\[\]\(<([0-9A]\d): (.+?)>\)", decks) if number == lesson)
    FIGURES.mkdir(exist_ok=True)
    for old in FIGURES.glob(f"{lesson}_*.png"):
        old.unlink()
    for cell in nbformat.read(notebook, as_version=4).cells:
        alt = cell.metadata.get("alt", "")
        files = list(drawn.glob(f"{cell.get('execution_count')}_*.png"))
        if len(files) == 1 and alt.startswith(wanted):
            with Image.open(files[0]) as figure:
                notes = PngImagePlugin.PngInfo()
                notes.add_text("Cell", digest(cell.source))
                notes.add_text("Type", figure.text["Type"])
                figure.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
                    path_of(lesson, alt), "PNG", optimize=True, pnginfo=notes
                )


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]))
