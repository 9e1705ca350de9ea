"""Write notebooks/source/setup_cell.py into the set-up cell of every lesson: the source, and the notebook as it is.

Run it after a change of that file: python tools/setup_cell.py
The cell is folded: in JupyterLab (`source_hidden`), in Colab (`cellView`) and on a site (`hide-input`).
"""

import re
from pathlib import Path

import jupytext
import nbformat

ROOT = Path(__file__).parents[1]
FOLDED = {"tags": ["setup", "hide-input"], "cellView": "form", "jupyter": {"source_hidden": True}}
HEADER = '# %% tags=["setup", "hide-input"] cellView="form" jupyter={"source_hidden": true}'


def setup_cell(lesson: str) -> str:
    """The text of the set-up cell of a lesson or an appendix, given its number: "05", "A1"."""
    text = (ROOT / "notebooks" / "source" / "setup_cell.py").read_text().strip()
    return text.replace('start("..")', f'start("{lesson}")')


def write(path: Path, lesson: str) -> None:
    """Replace the cell tagged ``setup`` in a source or a notebook, and fold it."""
    is_source = path.suffix == ".py"
    notebook = jupytext.read(path) if is_source else nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if "setup" in cell.metadata.get("tags", []):
            old, cell.source = cell.source, setup_cell(lesson)
            cell.metadata.update(FOLDED)
            if is_source:  # the text around it stays as it was typed
                text = path.read_text().replace(old, cell.source)
                path.write_text(re.sub(r'^# %% tags=\["setup".*$', HEADER, text, flags=re.M))
            else:
                nbformat.write(notebook, path)


if __name__ == "__main__":
    for source in sorted((ROOT / "notebooks" / "source").glob("[0-9A]*.py")):
        notebook = source.parents[1] / f"{source.stem}.ipynb"
        for path in (source, notebook):
            if path.exists():
                write(path, source.stem[:2])
