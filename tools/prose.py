"""Carry prose, tags and text alternatives from the sources into the executed notebooks, where no code has changed.

After a correction of a sentence the outputs are still right: python tools/prose.py saves executing the lesson again.
A notebook whose code differs is named and left alone; `make notebooks` rebuilds it.
"""

import sys
from pathlib import Path

import jupytext
import nbformat

LESSONS = Path(__file__).parents[1] / "notebooks"


def carry(source: Path, path: Path) -> bool:
    """Update one notebook; False, and nothing done, if its code is not that of the source."""
    edited, executed = jupytext.read(source), nbformat.read(path, as_version=4)
    if [cell.source for cell in edited.cells if cell.cell_type == "code"] != [
        cell.source for cell in executed.cells if cell.cell_type == "code"
    ]:
        return False
    code = (cell for cell in executed.cells if cell.cell_type == "code")
    cells = [next(code) if cell.cell_type == "code" else cell for cell in edited.cells]
    for old, new in zip(cells, edited.cells, strict=True):
        old.metadata = new.metadata
    known = {cell.source: cell.id for cell in executed.cells if cell.cell_type == "markdown"}
    for cell in cells:
        if cell.cell_type == "markdown" and cell.source in known:
            cell.id = known.pop(cell.source)  # so that an unchanged cell makes no difference in version control
    executed.cells = cells
    nbformat.write(executed, path)
    return True


if __name__ == "__main__":
    stale = [
        source.stem
        for source in sorted((LESSONS / "source").glob("[0-9A]*.py"))
        if not carry(source, LESSONS / f"{source.stem}.ipynb")
    ]
    if stale:
        sys.exit(f"The code of these changed, so they have to be built: {', '.join(stale)}")
