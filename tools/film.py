"""Write a film of notebooks/figures from the cell that made it: python tools/film.py 05 film training."""

import base64
import sys
from pathlib import Path

import nbformat

lesson, tag, name = sys.argv[1:]
(path,) = (Path(__file__).parents[1] / "notebooks").glob(f"{lesson}_*.ipynb")
(cell,) = [cell for cell in nbformat.read(path, as_version=4).cells if tag in cell.metadata.get("tags", [])]
(film,) = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
target = path.parent / "figures" / f"{lesson}_{name}.gif"
target.parent.mkdir(exist_ok=True)
target.write_bytes(base64.b64decode(film))
print(f"notebooks/figures/{target.name}: {target.stat().st_size / 1e6:.2f} MB")
