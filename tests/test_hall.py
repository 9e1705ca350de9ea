"""The lessons' figures with larger type for the slides: legible, whole, and those of the cells as they are now."""

import base64
import io
import re
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image, PngImagePlugin

from course_utils import plots  # noqa: F401  (the course's style)

pytest.importorskip("sphinx_revealjs", reason="the extra 'slides' is not installed")

from tools import hall, slides  # noqa: E402

ROOT = Path(__file__).parents[1]
HEIGHTS = {"": 530, "live-below": 470, "medium": 450, "small": 390, "smaller": 280}  # slides/style.css


def shown():
    """Every picture of a deck: its file among the larger ones, its cell, and the room that the slide gives it."""
    found = []
    for deck in sorted((ROOT / "slides").glob("[0-9]*.md")):
        room = [""]
        for line in deck.read_text(encoding="utf-8").splitlines():
            if line.startswith(":::"):
                room = [*room, line.strip(": ")] if line.strip(": ") else room[:-1]
            for lesson, beginning in re.findall(r"!\[\]\(<([0-9A]\d): (.+?)>\)", line):
                for cell in slides.notebook(lesson).cells:
                    if cell.metadata.get("alt", "").startswith(beginning):
                        found.append((hall.path_of(lesson, cell.metadata["alt"]), cell, room[-1]))
    return found


def test_every_figure_of_a_deck_is_drawn_larger_by_the_cell_as_it_is_now():
    kept = {path for path, _, _ in shown() if path.exists()}
    assert kept == set(hall.FIGURES.glob("*")), "a figure that no deck shows"
    for path, cell, room in shown():
        (data,) = [
            output.data
            for output in cell.outputs
            if "data" in output and set(output.data) & {"image/png", "image/jpeg"}
        ]
        if path.exists():
            assert Image.open(path).text["Cell"] == hall.digest(cell.source), path.name
        elif "explorer" not in room:  # which the explorer covers; the others are films
            assert "image/png" not in data or base64.b64decode(data["image/png"])[:3] == b"GIF", path.name


def test_their_type_can_be_read_from_the_back_row():
    """Axis labels are at least 16 pixels high on a slide of 720, those of most figures 20."""
    heights = []
    for path, _, room in shown():
        if path.exists() and room in HEIGHTS:
            with Image.open(path) as figure:
                across = min(hall.WIDTH / figure.width, hall.HEIGHT / figure.height)
                here = min(hall.WIDTH / figure.width, HEIGHTS[room] / figure.height)
                heights.append(float(figure.text["Type"]) * here / across)
                assert heights[-1] >= 16, (path.name, room)
    assert np.median(heights) >= 20


def test_a_part_of_a_figure_is_cut_where_nothing_stands():
    decks = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "slides").glob("[0-9]*.md"))
    parts = re.findall(r"!\[\]\(<([0-9A]\d): (.+?)>\)\{part=(\d+)-(\d+)\}", decks)
    assert parts
    for lesson, beginning, *cuts in parts:
        pixels = np.asarray(Image.open(io.BytesIO(slides.picture(lesson, beginning)[0])).convert("L"))
        for cut in set(map(int, cuts)) - {0, 100}:
            assert pixels[:, pixels.shape[1] * cut // 100].min() > 250, (lesson, beginning, cut)


def panels(titles, width=12):
    figure, axes = plt.subplots(1, len(titles), figsize=(width, 4))
    for ax, title in zip(np.atleast_1d(axes), titles, strict=True):
        ax.plot([0, 1], [0, 1])
        ax.set(title=title, xlabel="length (mm)")
    return figure, np.atleast_1d(axes)


def test_type_and_lines_grow_and_titles_keep_apart():
    long = "A sentence that is far too long for a single line above a panel"
    figure, axes = panels([long, long, long])
    assert hall.enlarge(figure) == pytest.approx(hall.TYPE)
    figure.canvas.draw()
    boxes = [ax.title.get_window_extent() for ax in axes]
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:], strict=False))
    assert all(0 <= box.x0 and box.x1 <= figure.bbox.width for box in boxes)
    assert all(ax.title.get_text().replace("\n", " ") == long for ax in axes)
    assert axes[0].lines[0].get_linewidth() > plt.rcParams["lines.linewidth"]
    sizes = {axes[0].xaxis.label.get_size(), axes[0].get_xticklabels()[0].get_size()}
    assert min(sizes) > 1.2 * plt.rcParams["font.size"]
    plt.close(figure)


def test_tick_labels_do_not_touch():
    figure, (numbers, names) = panels(["numbers", "names"], width=9)
    numbers.set_xticks(np.linspace(0, 1, 12), [f"{each:.2f}" for each in np.linspace(0, 1, 12)])
    names.bar(["random q 1", "random q 2", "random q 3", "posterior"], 1.0)
    hall.enlarge(figure)
    figure.canvas.draw()
    for ax in (numbers, names):
        boxes = [label.get_window_extent() for label in ax.get_xticklabels() if label.get_visible()]
        assert all(left.x1 <= right.x0 for left, right in zip(boxes, boxes[1:], strict=False))
    assert [label.get_text() for label in names.get_xticklabels()][2:] == ["random\nq 3", "posterior"]
    plt.close(figure)


def test_places_in_a_diagram_stay_as_they_are():
    figure, ax = plt.subplots(figsize=(8, 4))
    ax.axis("off")
    ax.text(0.5, 0.5, "encoder", fontsize=15)
    hall.enlarge(figure)
    assert ax.texts[0].get_size() == 15
    plt.close(figure)


def test_a_figure_of_an_older_cell_stops_the_build(tmp_path, monkeypatch):
    source, _, alt = slides.picture("02", "Left: the logarithm")
    monkeypatch.setattr(hall, "FIGURES", tmp_path)
    note = PngImagePlugin.PngInfo()
    note.add_text("Cell", "another")
    Image.open(io.BytesIO(source)).save(hall.path_of("02", alt), pnginfo=note)
    with pytest.raises(SystemExit, match="was drawn by an older cell. Execute lesson 02 anew"):
        slides.picture("02", "Left: the logarithm")


def test_the_kernel_draws_each_figure_twice_under_its_cell_and_the_notebook_is_as_without(tmp_path, monkeypatch):
    """With the start file that the Makefile writes."""
    (line,) = re.findall(r"@echo '(.+)' > build/ipython", (ROOT / "Makefile").read_text())
    start = tmp_path / "ipython" / "profile_default" / "startup"
    start.mkdir(parents=True)
    code = "import matplotlib.pyplot as plt\nfigure, ax = plt.subplots(figsize=(4, 3))\nax.plot([0, 1])"
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("COURSE_HALL", str(tmp_path / "drawn"))
    pictures = []
    for text in ("", line.replace("$(CURDIR)", str(ROOT))):
        (start / "larger.py").write_text(text)
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in ("1", code, "2")])
        pictures.append(NotebookClient(notebook).execute().cells[1].outputs[-1].data["image/png"])
    assert pictures[0] == pictures[1]
    assert [path.name for path in (tmp_path / "drawn").iterdir()] == ["2_0.png"]
