"""Write notebooks/figures/05_training.gif, the film on the front page, from the output of lesson 05's film cell."""

import base64
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
notebook = nbformat.read(NOTEBOOKS / "05_fashion_mnist_vae.ipynb", as_version=4)
(cell,) = [cell for cell in notebook.cells if "film" in cell.metadata.get("tags", [])]
(film,) = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
target = NOTEBOOKS / "figures" / "05_training.gif"
target.parent.mkdir(exist_ok=True)
target.write_bytes(base64.b64decode(film))
print(f"{target.relative_to(NOTEBOOKS.parent)}: {target.stat().st_size / 1e6:.2f} MB")
