"""What a lesson runs on: seed, device, versions, and the budget that sizes its work. Taught in lesson 00."""

import contextlib
import os
import platform
import random
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow loads: its log is not for readers

import numpy as np

from course_utils.budgets import BUDGETS

# Progress bars are plain text here: a widget shows nothing once the kernel is gone. tqdm warns about that with a path.
warnings.filterwarnings("ignore", message="IProgress not found")

SEED = 2013  # the year of the paper: Kingma and Welling, "Auto-Encoding Variational Bayes"


def budget_name() -> str:
    """The budget in force: ``COURSE_BUDGET`` if set, else ``full`` with a GPU and ``laptop`` without.

    Raises:
        ValueError: if ``COURSE_BUDGET`` is none of smoke, laptop, full.
    """
    chosen = os.environ.get("COURSE_BUDGET", "").strip()
    if not chosen:
        return "full" if gpus() else "laptop"
    if chosen not in ("smoke", "laptop", "full"):
        raise ValueError(f"COURSE_BUDGET is '{chosen}'. Set it to smoke, laptop or full, or unset it.")
    return chosen


def gpus() -> list[str]:
    """Names of the GPUs that TensorFlow can use; empty on a machine without one."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(device).get("device_name", "GPU") for device in devices]


def set_seed(seed: int = SEED) -> None:
    """Seed Python, NumPy's global state and TensorFlow. NumPy code of the course takes its own Generator."""
    import tf_keras as keras

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (scikit-learn and Keras read the global state)
    keras.utils.set_random_seed(seed)


def versions() -> dict[str, str]:
    """The versions that decide what a notebook shows."""
    packages = ("tensorflow", "tensorflow-probability", "tf-keras", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def has_bfloat16() -> bool:
    """Whether this machine multiplies bfloat16 matrices in hardware: a recent GPU, or AVX512-BF16 or AMX on Linux."""
    import tensorflow as tf

    for device in tf.config.list_physical_devices("GPU"):
        if tf.config.experimental.get_device_details(device).get("compute_capability", (0, 0)) >= (8, 0):
            return True
    try:
        with open("/proc/cpuinfo") as lines:
            flags = next((line.split() for line in lines if line.startswith("flags")), [])
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


@contextlib.contextmanager
def _without_native_log():
    """Drop what native code writes to standard error, unless the block fails.

    TensorFlow logs its start before any setting can silence it, and those lines would be stored in every notebook.
    """
    with tempfile.TemporaryFile() as log:
        saved = os.dup(2)
        try:
            os.dup2(log.fileno(), 2)
            yield
        except BaseException:
            log.seek(0)
            os.write(saved, log.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


DRIVE = Path("/content/drive/MyDrive")  # where Colab mounts a Drive


def checkpoint_folder(name: str) -> Path | None:
    """Where a long training keeps its checkpoints, or None where nobody asked for any.

    The folder named by ``COURSE_CHECKPOINTS``; without it, on Colab, ``vae-course`` on a mounted Drive. Below it, one
    folder a training and budget.

    Args:
        name: of the training, for instance ``"06-calibrated"``.
    """
    parent = os.environ.get("COURSE_CHECKPOINTS", "").strip()
    if not parent and not DRIVE.exists():
        return None
    return (Path(parent) if parent else DRIVE / "vae-course") / f"{name}-{budget_name()}"


def _refuse_stale_modules() -> None:
    """Raise if an install replaced a package that this kernel had already loaded; only then is a restart needed."""
    for module, package in {"numpy": "numpy", "tensorflow": "tensorflow", "tf_keras": "tf-keras"}.items():
        loaded = getattr(sys.modules.get(module), "__version__", None)
        if loaded and loaded != version(package):
            raise RuntimeError(
                f"{package} {version(package)} was installed while {loaded} is in use here. Restart the kernel "
                "(Colab: Runtime, Restart session) and run this notebook from the top."
            )


def start(lesson: str) -> SimpleNamespace:
    """Prepare a lesson: seed everything, then print versions, device, and the row of the budget table in force.

    Args:
        lesson: its number as in the file name, for instance ``"05"``.

    Returns:
        A namespace with the row's entries (``budget.epochs``, ...) and ``budget.name``.

    Raises:
        ValueError: for a lesson without a row, or a ``COURSE_BUDGET`` that does not exist.
        RuntimeError: if a package was replaced after this kernel loaded it.
    """
    if lesson not in BUDGETS:
        raise ValueError(f"Lesson '{lesson}' has no budget. Lessons: {', '.join(BUDGETS)}.")
    _refuse_stale_modules()
    with _without_native_log():
        import tensorflow_probability  # noqa: F401  (brings TensorFlow and tf_keras along)

        devices = gpus()
    name = budget_name()
    row = BUDGETS[lesson][name]
    set_seed()
    print(" | ".join(f"{package} {number}" for package, number in versions().items()))
    print(f"device: {', '.join(devices) if devices else f'CPU, {os.cpu_count()} cores'} | seed: {SEED}")
    print(f"budget: {name} | " + ", ".join(f"{key} {value:,}" for key, value in row.items()))
    if "google.colab" in sys.modules:
        mount = "none. To keep some on your Drive: from google.colab import drive; drive.mount('/content/drive')"
        print("checkpoints:", f"on your Drive, in {DRIVE / 'vae-course'}" if DRIVE.exists() else mount)
    return SimpleNamespace(name=name, **row)
