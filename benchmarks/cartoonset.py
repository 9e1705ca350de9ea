"""Cartoon Set: reading and preparing 500x500 images, against Keras's own function in the same run; memory.

    python benchmarks/cartoonset.py               all tables, about ten minutes on two cores
    python benchmarks/cartoonset.py streaming     images a second that reach the training, batches of 32
    python benchmarks/cartoonset.py preparing     images a second of the one pass that prepares them
    python benchmarks/cartoonset.py memory        peak resident set, with 1,000, 10,000 and 40,000 images

The images are copies of original ones, from `cartoonset-originals` or `cartoonset10k` in COURSE_DATA_DIR, in a folder
that is deleted at the end. Figures of different runs are not comparable; ratios within one are.
"""

import contextlib
import io
import itertools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tensorflow as tf
import tf_keras as keras

from course_utils import data, runtime

BATCH, FILES, ROUNDS = 32, 3_000, 5
ROW = 256 * 256 * 3  # bytes of one avatar


@contextlib.contextmanager
def copies(number: int):
    """A folder with `number` copies of original images, and a cache of its own, both deleted at the end."""
    root = Path(os.environ.get("COURSE_DATA_DIR", "."))
    folders = [root / name for name in ("cartoonset-originals", "cartoonset10k") if (root / name).is_dir()]
    if not folders:
        sys.exit("This needs images of 500x500 pixels: cartoonset-originals or cartoonset10k in COURSE_DATA_DIR.")
    originals = itertools.cycle([path.read_bytes() for path in sorted(folders[0].glob("*.png"))[:500]])
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["COURSE_CACHE_DIR"] = str(Path(scratch) / "cache")
        folder = Path(scratch) / "images" / "all"
        folder.mkdir(parents=True)
        for index, content in zip(range(number), originals, strict=False):
            (folder / f"cs{index}.png").write_bytes(content)
        yield folder.parent


def keras_dataset(folder: Path, shuffle: bool = True) -> tf.data.Dataset:
    """What the published loop reads: every image decoded and scaled in every epoch, pixels from 0 to 255."""
    options = {"labels": None, "image_size": (256, 256), "batch_size": BATCH, "shuffle": shuffle, "seed": 1}
    with contextlib.redirect_stdout(io.StringIO()):
        return keras.utils.image_dataset_from_directory(str(folder), **options).prefetch(tf.data.AUTOTUNE)


def images_per_second(dataset: tf.data.Dataset, batches: int) -> float:
    """The rate over so many batches, after three that start the pipeline."""
    iterator = iter(dataset)
    for _ in range(3):
        next(iterator)
    started = time.perf_counter()
    images = sum(len(batch) for batch in itertools.islice(iterator, batches))
    return images / (time.perf_counter() - started)


def print_table(title: str, rates: dict[str, list[float]]) -> None:
    """Best round of each, and the ratio to the first row: the smallest and the largest within one round."""
    first = next(iter(rates.values()))
    print(
        f"\n| {title} | images/s, best of {len(first)} | ratio of the best | ratios of the rounds |\n|---|---|---|---|"
    )
    for name, found in rates.items():
        ratios = [rate / base for rate, base in zip(found, first, strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"| {name} | {max(found):,.0f} | {max(found) / max(first):.2f} | {spread} |")


def streaming() -> None:
    with copies(FILES) as folder:
        avatars = data.load_cartoonset("real", folder=folder)
        datasets = {
            "image_dataset_from_directory, float32 in [0, 255]": keras_dataset(folder),
            "the course: data.stream, float32 in [0, 1]": data.stream(avatars.images, BATCH, seed=1),
        }
        rates = {name: [] for name in datasets}
        for _ in range(ROUNDS):  # they take turns, so that a busy moment hits both
            for name, dataset in datasets.items():
                rates[name].append(images_per_second(dataset, FILES // BATCH - 4))
    print_table(f"streaming, {FILES:,} files of 500x500, batch {BATCH}", rates)


def preparing() -> None:
    rates = {
        "image_dataset_from_directory, one pass, kept nowhere": [],
        "the course: preparing, on disk at the end": [],
    }
    keras_rates, course_rates = rates.values()
    for _ in range(ROUNDS):
        with copies(FILES) as folder:
            started = time.perf_counter()
            for _ in keras_dataset(folder, shuffle=False):
                pass
            keras_rates.append(FILES / (time.perf_counter() - started))
            started = time.perf_counter()
            data.load_cartoonset("real", folder=folder)
            course_rates.append(FILES / (time.perf_counter() - started))
    print_table(f"preparing {FILES:,} files of 500x500", rates)


PEAK = """
import resource, sys
try:  # the other figure begins with that of the parent process
    peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(peak / 1e9)"""
READ = {
    "TensorFlow loaded, no images": "",
    "data.stream, one epoch": "for batch in data.stream(images, 32, seed=1).take(len(images) // 32): pass",
    "np.memmap instead, one epoch": """
import numpy as np, tensorflow as tf
mapped = np.memmap(images.path, np.uint8, "r", shape=images.shape)
for rows in data.epoch_order(len(images), 1, 0).reshape(-1, 40): tf.constant(mapped[rows])""",
}


def peak_of(code: str, *arguments: str) -> float:
    """Peak resident set in GB of a process that runs `code`."""
    command = [sys.executable, "-c", f"{code}\n{PEAK}", *arguments]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(run.stdout.split()[-1])


def memory() -> None:
    sizes = (1_000, 10_000, 40_000)
    print(f"\n| peak resident set, GB | {' | '.join(f'{size:,} images' for size in sizes)} |\n|---|---|---|---|")
    start = "import sys, numpy as np, tensorflow as tf\nfrom course_utils import data\n"
    start += "images = data.StoredImages(sys.argv[1], np.arange(int(sys.argv[2])))\n"
    with tempfile.TemporaryDirectory() as scratch:
        if shutil.disk_usage(scratch).free < 2 * sizes[-1] * ROW:
            sys.exit(f"This needs {2 * sizes[-1] * ROW / 1e9:.0f} GB free for temporary files.")
        path = Path(scratch) / "images.bin"
        noise = os.urandom(100 * ROW)
        with open(path, "wb") as file:
            for _ in range(sizes[-1] // 100):
                file.write(noise)
        for name, code in READ.items():
            peaks = [peak_of(start + code, str(path), str(size)) for size in sizes]
            print(f"| {name} | {' | '.join(f'{peak:.2f}' for peak in peaks)} |")
    code = "import sys\nfrom course_utils import data\ndata.load_cartoonset('real', folder=sys.argv[1])"
    peaks = []
    for size in sizes[:2]:
        with copies(size) as folder:
            peaks.append(f"{peak_of(code, str(folder)):.2f}")
    print(f"| preparing, without TensorFlow | {' | '.join(peaks)} | not run |")


def main() -> None:
    tables = {"streaming": streaming, "preparing": preparing, "memory": memory}
    chosen = sys.argv[1:] or list(tables)
    if unknown := set(chosen) - set(tables):
        sys.exit(f"No table {', '.join(sorted(unknown))}. Tables: {', '.join(tables)}.")
    print(f"{os.cpu_count()} cores, {platform.machine()}, {runtime.versions()}")
    for name in chosen:
        runtime.set_seed()
        tables[name]()


if __name__ == "__main__":
    main()
