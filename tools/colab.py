"""Walk a Colab user's path in bare environments: python tools/colab.py

For the oldest and the newest TensorFlow that the course supports: a new environment with TensorFlow and Jupyter but
without the course, a folder with nothing in it but a notebook, the set-up cell pointed at this clone (its last commit),
and the notebook executed at the smoke budget. Fails if a package was replaced or anything at all raised.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TENSORFLOWS = ("2.18", "2.21")


def installed(python: Path) -> dict[str, str]:
    """Name and version of every package of an environment."""
    command = [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {package["name"].lower(): package["version"] for package in listed}


def walk(tensorflow: str, lessons: list[str], folder: Path) -> None:
    """One environment, and the lessons in it."""
    python = folder / "env" / "bin" / "python"
    print(f"TensorFlow {tensorflow}: a bare environment in {folder / 'env'} ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder / "env")], check=True)
    preinstalled = [f"tensorflow=={tensorflow}.*", "ipykernel", "nbconvert"]
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *preinstalled], check=True)
    before = installed(python)
    assert "vae-course" not in before and "tf-keras" not in before
    environment = {key: value for key, value in os.environ.items() if key != "COURSE_DATA_DIR"}
    environment |= {
        "COURSE_SOURCE": f"git+{ROOT.as_uri()}",
        "COURSE_BUDGET": "smoke",
        "COURSE_CACHE_DIR": str(folder / "cache"),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
    }
    for lesson in lessons:
        (path,) = (ROOT / "notebooks").glob(f"{lesson}_*.ipynb")
        shutil.copy(path, folder)
        command = ["nbconvert", "--log-level", "ERROR", "--to", "notebook", "--execute", "--inplace", path.name]
        subprocess.run([python, "-m", "jupyter", *command], check=True, cwd=folder, env=environment)
        print(f"  lesson {lesson} ran from top to bottom", flush=True)
    after = installed(python)
    replaced = {name: (before[name], after[name]) for name in before if after.get(name) != before[name]}
    assert not replaced, f"replaced: {replaced}"
    print("  nothing replaced; added:", ", ".join(sorted(set(after) - set(before))), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lesson", nargs="+", default=["00", "03"], metavar="NN", help="default: 00 03")
    parser.add_argument("--tensorflow", nargs="+", default=TENSORFLOWS, metavar="X.Y", help="default: 2.18 2.21")
    options = parser.parse_args()
    for tensorflow in options.tensorflow:
        with tempfile.TemporaryDirectory() as scratch:
            walk(tensorflow, options.lesson, Path(scratch))
