"""Finish executed notebooks, and write the pictures of the front pages: python tools/front.py notebooks/05_*.ipynb

A widget lives in a kernel: a stored notebook keeps the picture beside it, and not the widget's name and state. PNGs are
packed more tightly, without a change in any pixel.

A cell tagged `front-training` in lesson 05 becomes notebooks/figures/05_training.gif (or .png, .jpg: what it is). The
first cells of the lessons and README.md show those files.
"""

import base64
import io
import sys
from pathlib import Path

import nbformat
from PIL import Image

WIDGET = "application/vnd.jupyter.widget-view+json"
SUFFIXES = {b"GIF8": ".gif", b"\x89PNG": ".png", b"\xff\xd8\xff\xe0": ".jpg"}


def front_pictures(path: Path) -> dict[str, bytes]:
    """File names and contents of the pictures of an executed notebook that are tagged for the front."""
    found = {}
    for cell in nbformat.read(path, as_version=4).cells:
        for tag in cell.metadata.get("tags", []):
            if tag.startswith("front-"):
                kinds = [output.get("data", {}) for output in cell.outputs]
                (content,) = [kind[name] for kind in kinds for name in ("image/png", "image/jpeg") if name in kind]
                content = base64.b64decode(content)
                found[f"{path.stem[:2]}_{tag.removeprefix('front-')}{SUFFIXES[content[:4]]}"] = content
    return found


def without_widgets(path: Path) -> None:
    """Take the widgets out of an executed notebook, where there are any."""
    notebook = nbformat.read(path, as_version=4)
    data = [output.data for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    widgets = [each for each in data if each.pop(WIDGET, None)]
    if widgets or "widgets" in notebook.metadata:
        notebook.metadata.pop("widgets", None)
        nbformat.write(notebook, path)


def packed(path: Path) -> None:
    """Encode an executed notebook's PNGs again, losslessly, where that makes them smaller."""
    notebook = nbformat.read(path, as_version=4)
    for data in [output.data for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]:
        content = base64.b64decode(data.get("image/png", ""))
        if content.startswith(b"\x89PNG"):
            Image.open(io.BytesIO(content)).save(smaller := io.BytesIO(), "PNG", optimize=True)
            if len(smaller.getvalue()) < len(content):
                data["image/png"] = base64.b64encode(smaller.getvalue()).decode()
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        without_widgets(path)
        packed(path)
        for name, content in front_pictures(path).items():
            target = path.parent / "figures" / name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(content)
            print(f"{target}: {len(content) / 1e6:.2f} MB")
