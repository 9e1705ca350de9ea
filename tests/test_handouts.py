"""Handouts: what `make handouts` writes has every cell of a lesson but its solutions."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from test_notebooks import NOTEBOOKS, ROOT


@pytest.fixture(scope="module")
def handouts(tmp_path_factory):
    """The command of the Makefile, with another folder to write to."""
    folder = tmp_path_factory.mktemp("handouts")
    recipe = re.search(r"^handouts:.*?\n\n", (ROOT / "Makefile").read_text(), flags=re.M | re.S)[0]
    arguments = re.search(r"jupyter (nbconvert.*?)notebooks/\*\.ipynb", recipe.replace("\\\n", ""))[1].split()
    arguments[arguments.index("build/handouts")] = str(folder)
    command = [sys.executable, "-m", "jupyter", *arguments, *map(str, NOTEBOOKS)]
    subprocess.run(command, check=True, cwd=ROOT)
    return folder


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_handout_is_the_lesson_without_its_solutions(path, handouts):
    lesson, handout = nbformat.read(path, as_version=4), nbformat.read(handouts / path.name, as_version=4)
    kept = [cell.source for cell in lesson.cells if "solution" not in cell.metadata.get("tags", [])]
    assert [cell.source for cell in handout.cells] == kept
    assert "## Solutions" not in "\n".join(kept)


def test_every_exercise_has_a_solution_to_be_taken_out():
    for path in map(Path, NOTEBOOKS):
        cells = nbformat.read(path, as_version=4).cells
        asked = re.findall(
            r"^#+ Exercise \d|^\*\*The open problem", "\n".join(cell.source for cell in cells), flags=re.M
        )
        solutions = [cell for cell in cells if "solution" in cell.metadata.get("tags", []) and cell.cell_type == "code"]
        assert len(solutions) == len(asked), path.name
        assert all(cell.metadata["jupyter"]["source_hidden"] for cell in solutions), path.name
