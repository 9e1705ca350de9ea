"""Walk a Colab user's path: python tools/colab.py [--runtime 2026-08] [--lesson 00 05]. Half an hour a runtime.

For a runtime of tools/colab, an environment with the Python and the packages that Colab has and without the course.
In it, from an empty folder and with a stand-in for google.colab: each lesson as a user runs it, whose set-up cell
installs the last commit of this clone, at the smoke budget; then the training command, twice. Fails if a cell raised, a
package was replaced, or anything came on standard error but progress bars and what TensorFlow says there by itself.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

if __package__:
    from tools.colab_runtimes import ROOT, Runtime, runtimes
else:
    from colab_runtimes import ROOT, Runtime, runtimes

# A kernel that has google.colab in it from the start, as Colab's own launcher does.
STAND_IN = {
    "google/colab/__init__.py": '"""Stands in for Colab\'s module."""\n\nfrom google.colab import drive, output\n',
    "google/colab/drive.py": "def mount(mountpoint, **options):\n    raise ValueError('mount failed')\n",
    "google/colab/output.py": (
        "def enable_custom_widget_manager():\n    pass\n\n\ndef disable_custom_widget_manager():\n    pass\n"
    ),
    "colab_kernel_launcher.py": (
        "import google.colab\nfrom ipykernel.kernelapp import launch_new_instance\n\nlaunch_new_instance()\n"
    ),
}
TRAIN = ["course_utils.train", "--budget", "smoke", "--images", "64", "--epochs", "1", "--batch", "16"]


def interpreter(version: str) -> Path:
    """A Python of this version, from the PATH; raises FileNotFoundError where there is none."""
    show = "import sys; print('%d.%d' % sys.version_info[:2])"
    for folder in os.get_exec_path():
        for name in (f"python{version}", "python3", "python"):
            candidate = Path(folder) / name
            if os.access(candidate, os.X_OK) and candidate.is_file():
                # Asked, not believed: a shim may stand for a version that is not switched on.
                answer = subprocess.run([candidate, "-c", show], capture_output=True, text=True)
                if answer.stdout.strip() == version:
                    return candidate
    raise FileNotFoundError(
        f"There is no Python {version} on the PATH, and this runtime of Colab has that one. Install it, or say where "
        f"it is: PATH=/folder/with/python{version}:$PATH python tools/colab.py"
    )


def installed(python: Path) -> dict[str, str]:
    """Name and version of every package of an environment."""
    command = [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {package["name"].lower(): package["version"] for package in listed}


def environment(runtime: Runtime, folder: Path) -> Path:
    """The Python of an environment with the runtime's packages and no others, made once and bare each time."""
    python, bare = folder / "env" / "bin" / "python", folder / "bare.json"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wanted = [f"{name}=={version}" for name, version in runtime.packages.items()]
    if not bare.exists() or json.loads(bare.read_text())["wanted"] != wanted:
        print(f"Colab {runtime.name}: an environment in {folder / 'env'} ...", flush=True)
        bare.unlink(missing_ok=True)
        subprocess.run([interpreter(runtime.python), "-m", "venv", "--clear", folder / "env"], check=True)
        subprocess.run([*pip, "install", *wanted], check=True)
        bare.write_text(json.dumps({"wanted": wanted, "installed": installed(python)}))
    before, now = json.loads(bare.read_text())["installed"], installed(python)
    if added := sorted(set(now) - set(before)):
        subprocess.run([*pip, "uninstall", "--yes", *added], check=True)
    assert installed(python) == before, f"{folder} holds an environment that was changed; delete it"
    return python


def surroundings(python: Path, folder: Path) -> dict[str, str]:
    """The variables that a kernel or a command finds on Colab, with this clone for the course's repository."""
    for name, text in STAND_IN.items():
        path = folder / "stand_in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    ours = {"PYTHONPATH", "COURSE_DATA_DIR", "COURSE_CHECKPOINTS", "VIRTUAL_ENV"}
    return {key: value for key, value in os.environ.items() if key not in ours} | {
        "COURSE_SOURCE": f"git+{ROOT.as_uri()}",
        "COURSE_BUDGET": "smoke",
        "COURSE_CACHE_DIR": str(folder / "cache"),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "stand_in"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the kernel's debugger would warn of itself
    }


def beside_progress(text: str, known: frozenset[str] = frozenset()) -> str:
    """What standard error holds besides known lines, and the progress bars of downloads and preparations."""
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    return "\n".join(
        line for line in lines if not re.search(r"\d+%\|.*\[.*\]", line) and without_numbers(line) not in known
    )


def without_numbers(line: str) -> str:
    """A line of a log, but for its date, its time and the number of its thread."""
    return re.sub(r"\d+", "0", line)


def said_by_tensorflow(python: Path, variables: dict[str, str]) -> frozenset[str]:
    """The lines that TensorFlow and TFP alone write on standard error in this environment, when they compute something.

    TensorFlow 2.20 remarks on its own optimizer of graphs when a gradient goes through a draw from a gamma.
    """
    program = "\n".join(
        [
            "import tensorflow as tf, tensorflow_probability as tfp",
            "x = tf.ones(1)",
            "tf.function(lambda x: 2 * x)(x).numpy()",
            "with tf.GradientTape() as tape:",
            "    tape.watch(x)",
            "    draw = tfp.distributions.Gamma(x, 1.0).sample()",
            "tape.gradient(draw, x).numpy()",
        ]
    )
    ran = subprocess.run([python, "-c", program], env=variables, check=True, capture_output=True, text=True)
    return frozenset(without_numbers(line) for line in ran.stderr.splitlines())


def run_notebook(path: Path, python: Path, variables: dict[str, str], folder: Path, known: frozenset[str]) -> list[str]:
    """Execute a notebook in an empty folder; returns what is wrong, and leaves what it had done beside it."""
    spec = folder / "kernels" / "colab" / "kernel.json"
    spec.parent.mkdir(parents=True, exist_ok=True)
    argv = [str(python), "-m", "colab_kernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "Colab", "language": "python"}))
    place = folder / "content"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    manager = AsyncKernelManager(
        kernel_name="colab", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    )
    client = NotebookClient(notebook, km=manager, timeout=3600, resources={"metadata": {"path": str(place)}})
    wrong = []
    try:
        client.execute(env=variables)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        wrong.append(f"{type(error).__name__}: {error}")
    nbformat.write(notebook, folder / path.name)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr" and (said := beside_progress(output.text, known)):
                wrong.append(f"on standard error of the cell {cell.source[:60]!r}:\n{said}")
    return wrong


def train_twice(python: Path, variables: dict[str, str], folder: Path, known: frozenset[str]) -> list[str]:
    """The training command, and the same line again; returns what is wrong."""
    shutil.rmtree(folder / "run", ignore_errors=True)
    command, wrong = [python, "-m", *TRAIN, "--resume", folder / "run"], []
    for time_ in ("first", "second"):
        ran = subprocess.run(command, env=variables, cwd=folder / "content", capture_output=True, text=True)
        said = beside_progress(ran.stderr, known)
        if ran.returncode or said:
            wrong.append(f"the {time_} time, exit code {ran.returncode}:\n{ran.stdout}\n{said}")
    return wrong


def walk(runtime: Runtime, lessons: list[Path], folder: Path) -> bool:
    """One runtime: its environment, the lessons and the command in it. Returns whether all was well."""
    folder.mkdir(parents=True, exist_ok=True)
    python = environment(runtime, folder)
    before, variables = installed(python), surroundings(python, folder)
    print(f"Colab {runtime.name}: Python {runtime.python}, TensorFlow {runtime.packages['tensorflow']}", flush=True)
    known = said_by_tensorflow(python, variables)
    steps = {path.stem: lambda path=path: run_notebook(path, python, variables, folder, known) for path in lessons}
    steps["python -m course_utils.train, twice"] = lambda: train_twice(python, variables, folder, known)
    well = True
    for name, step in steps.items():
        start = time.monotonic()
        wrong = step()
        print(
            f"  {'FAILED' if wrong else 'ran'} in {time.monotonic() - start:4.0f} s: {name}",
            *wrong,
            sep="\n",
            flush=True,
        )
        well = well and not wrong
    after = installed(python)
    replaced = {name: (before[name], after.get(name)) for name in before if after.get(name) != before[name]}
    print(f"  replaced: {replaced or 'nothing'}; added:", ", ".join(sorted(set(after) - set(before))), flush=True)
    return well and not replaced


if __name__ == "__main__":
    known, notebooks = runtimes(), sorted((ROOT / "notebooks").glob("*.ipynb"))
    numbers = [path.stem[:2] for path in notebooks]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", nargs="+", choices=known, default=[list(known)[-1]], help="default: the newest")
    parser.add_argument("--lesson", nargs="+", choices=numbers, default=numbers, metavar="NN", help="default: all")
    parser.add_argument("--folder", type=Path, help="where the environments are kept (default: nowhere)")
    options = parser.parse_args()
    chosen = [path for path in notebooks if path.stem[:2] in options.lesson]
    with tempfile.TemporaryDirectory() as scratch:
        parent = (options.folder or Path(scratch)).resolve()
        if not all([walk(known[name], chosen, parent / name) for name in options.runtime]):
            sys.exit("Not all went well: see above.")
