"""What the command takes: its options, their help, and the examples."""

import argparse
from pathlib import Path

from course_utils.budgets import BUDGETS
from course_utils.train.cluster import TF_CONFIG

EPILOG = f"""\
examples:
  python -m course_utils.train
      the avatars that are here (COURSE_DATA_DIR, the cache, or drawn in code), at the budget of this machine
  python -m course_utils.train --data ~/cartoonset100k --epochs 60 --batch 128 --resume runs/all
      all images of a folder of your own
  python -m course_utils.train --download 10k --resume /content/drive/MyDrive/avatars
      on Colab, all 10,000, with checkpoints on a mounted Drive; when the session is cut off, run the same line again
  python -m course_utils.train --strategy mirrored
      all GPUs of this machine; the batch is shared out among them
  TF_CONFIG='{TF_CONFIG}' \\
  python -m course_utils.train --strategy multiworker
      several machines: the same line on each, with its own index, and --resume a folder that all of them see

In the folder of the run: checkpoints/, logs/ (tensorboard --logdir FOLDER/logs), avatars.weights.h5, and picture.png,
with held-out avatars, their reconstructions, draws from the prior, and draws from a Gaussian fitted to the codes."""


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    result = argparse.ArgumentParser(
        prog="python -m course_utils.train",
        description="Train the 256x256 avatar VAE of lesson 06. A training that was cut off goes on where it was.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    numbers = ", ".join(f"{row['images']:,} ({name})" for name, row in BUDGETS["06"].items())
    add("--data", default="auto", metavar="auto|real|drawn|FOLDER", help="where avatars come from (default: auto)")
    room = "450 MB or 4.4 GB, and another 2.0 or 19.7 GB once prepared"
    add("--download", choices=("10k", "100k"), help=f"fetch Cartoon Set if it is not here: {room}")
    add(
        "--images",
        type=_positive,
        help=f"use at most so many (default: all of a FOLDER or a download, else what the budget says: {numbers})",
    )
    add("--budget", choices=("smoke", "laptop", "full"), help="default: full with a GPU, laptop without")
    add("--epochs", type=_positive, help="default: the budget's")
    add("--batch", type=_positive, help="images a step, of all devices together (default: the budget's)")
    add("--precision", choices=("auto", "float32", "bfloat16", "float16"), default="auto", help="auto measures")
    add("--strategy", choices=("single", "mirrored", "multiworker"), default="single", help="tf.distribute")
    add("--resume", type=Path, default=Path("runs/avatars"), metavar="FOLDER", help="the run (default: runs/avatars)")
    add("--every", type=_positive, default=100, metavar="STEPS", help="between two checkpoints (default: 100)")
    return result
