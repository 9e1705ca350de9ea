"""What the command takes: its options, their help, and the examples."""

import argparse
import contextlib
from pathlib import Path

from course_utils.budgets import BUDGETS
from course_utils.command.cluster import TF_CONFIG

OWN = """\
your own images: --data FOLDER takes JPEG, PNG, WebP, GIF, BMP and TIFF files in any nesting, of any size and shape, in
grey or colour, turned as EXIF says, transparent parts on white; of a film the first frame. They are prepared once, in
the cache. Other files are counted and left out; too many pictures among them are an error. Cartoon Set, in a folder or
.tgz of its name or with files of its names, is trained at 256x256 pixels in colour, and takes no --size.
"""
EPILOG = f"""\
{OWN}
examples:
  python -m course_utils.train
      the avatars that are here (COURSE_DATA_DIR, the cache, or drawn in code), at the budget of this machine
  python -m course_utils.train --data ~/cartoonset100k --epochs 60 --batch 128 --resume runs/all
      all images of Cartoon Set, from a folder
  python -m course_utils.train --data ~/photos --size 96 --fit pad --epochs 30 --resume runs/photos
      your own images, of any kind, size and shape
  python -m course_utils.train --download 10k --resume /content/drive/MyDrive/avatars
      on Colab, all 10,000, with checkpoints on a mounted Drive; when the session is cut off, run the same line again
  python -m course_utils.train --strategy mirrored
      all GPUs of this machine; the batch is shared out among them
  TF_CONFIG='{TF_CONFIG}' \\
  python -m course_utils.train --strategy multiworker
      several machines: the same line on each, with its own index, and --resume a folder that all of them see

In the folder of the run: checkpoints/, logs/ (tensorboard --logdir FOLDER/logs), model.weights.h5, and picture.png,
with held-out images, their reconstructions, draws from the prior, and draws from a Gaussian fitted to the codes."""


def positive(text: str) -> int:
    """A whole number of 1 or more, for argparse."""
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of 1 or more")
    return int(text)


def _rate(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0, such as 0.001")


def _folder(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("the name of the folder is empty, as by a variable that is not set")
    return Path(text).expanduser()


def side(text: str) -> int:
    """A number of pixels from 28 to 256, for argparse."""
    if not text.isdecimal() or not 28 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 28 to 256")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    result = argparse.ArgumentParser(
        prog="python -m course_utils.train",
        description="Train a VAE on avatars, or on your own images. A training that was cut off goes on where it was.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    numbers = ", ".join(f"{row['images']:,} ({name})" for name, row in BUDGETS["06"].items())
    add("--data", default="auto", metavar="auto|real|drawn|FOLDER", help="where images come from (default: auto)")
    room = "450 MB or 4.4 GB, and another 2.0 or 19.7 GB once prepared"
    add("--download", choices=("10k", "100k"), help=f"fetch Cartoon Set if it is not here: {room}")
    add(
        "--images",
        type=positive,
        help=f"use at most so many (default: all of a FOLDER or a download, else what the budget says: {numbers})",
    )
    add("--size", type=side, metavar="PIXELS", help="own images: the side they get, 28 to 256 (default: 64)")
    add("--channels", type=int, choices=(1, 3), help="own images: 1 for grey, 3 for colour (default: 3)")
    fits = "crop takes the middle square, pad all of it, with white beside it (default: crop)"
    add("--fit", choices=("crop", "pad"), help=f"own images: {fits}")
    add("--mirror", action="store_true", help="exchange left and right in half of the images, others in each epoch")
    add("--budget", choices=("smoke", "laptop", "full"), help="default: full with a GPU, laptop without")
    add("--epochs", type=positive, help="default: the budget's")
    add("--batch", type=positive, help="images a step, of all devices together (default: the budget's)")
    add("--peak-rate", type=_rate, default=1e-3, metavar="RATE", help="the largest learning rate (default: 0.001)")
    add("--precision", choices=("auto", "float32", "bfloat16", "float16"), default="auto", help="auto measures")
    add("--strategy", choices=("single", "mirrored", "multiworker"), default="single", help="tf.distribute")
    add(
        "--resume", type=_folder, default=Path("runs/avatars"), metavar="FOLDER", help="the run (default: runs/avatars)"
    )
    add("--every", type=positive, default=100, metavar="STEPS", help="between two checkpoints (default: 100)")
    return result
