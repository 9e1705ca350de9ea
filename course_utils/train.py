"""Train the avatar VAE of lesson 06 from a terminal: python -m course_utils.train --help"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path

from course_utils.budgets import BUDGETS

TF_CONFIG = '{"cluster": {"worker": ["host0:9000", "host1:9000"]}, "task": {"type": "worker", "index": 0}}'
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


def _strategy(name: str):
    import tensorflow as tf

    if name == "multiworker":
        _refuse_wrong_cluster()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.MultiWorkerMirroredStrategy() if name == "multiworker" else tf.distribute.get_strategy()


def _refuse_wrong_cluster() -> None:
    """Raise ``ValueError`` unless ``TF_CONFIG``, if it is set, has an address for this machine among the workers."""
    if "TF_CONFIG" not in os.environ:
        return
    try:
        cluster = json.loads(os.environ["TF_CONFIG"])
        cluster["cluster"][cluster["task"]["type"]][int(cluster["task"]["index"])]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"TF_CONFIG does not give the addresses of all machines and the place of this one ({error!r}). It must "
            f"look like this, in single quotes for the shell: '{TF_CONFIG}'"
        ) from error


def _make_folder(folder: Path) -> None:
    """Make the folder of the run, before there is anything to lose. Raises ``OSError``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "a file is in its place" if folder.is_file() else error.strerror
        raise OSError(
            f"The folder of the run, {folder}, cannot be made: {reason}. Name another by --resume."
        ) from error


def _load(options: argparse.Namespace, budget: dict):
    """The avatars that were asked for. What was named is used, or there is an error: then nothing is drawn."""
    from course_utils import data

    named = options.data not in ("auto", "real", "drawn")
    source = "real" if named or (options.download and options.data == "auto") else options.data
    everything = named or options.download
    return data.load_cartoonset(
        source=source,
        folder=options.data if named else None,
        download=options.download,
        limit=options.images or (None if everything else budget["images"]),
    )


def _say_what_is_used(avatars, batch: int) -> None:
    """Print what a limit leaves out and what is missing. Raises ``ValueError`` if there is nothing to train on."""
    here, train = len(avatars.images), len(avatars.train)
    if avatars.total is None:
        print(f"Using the first {here:,} images, which is the limit; there are more. --images takes another number.")
    elif avatars.total > here:
        print(f"Using {here:,} of {avatars.total:,} images; --images {avatars.total} takes all.")
    if train < batch:
        advice = f"Add images, or take --batch {train}." if train else "Add images."
        raise ValueError(f"{train} of {here} images are for training, too few for a batch of {batch}. {advice}")
    if not len(avatars.test):
        print("None of these images happens to be held out, so that picture.png will show images of the training.")


def _picture(vae, avatars, path: Path) -> None:
    """Eight held-out avatars, their reconstructions, prior draws and fitted draws, as a PNG."""
    import numpy as np
    from PIL import Image

    from course_utils import data, plots, runtime

    rng = np.random.default_rng(runtime.SEED)
    some, shown = avatars.train_images[:500], avatars.test_images if len(avatars.test) else avatars.train_images
    real = data.to_float(shown[:8])
    codes = [vae.encoder(data.to_float(some[i : i + 50])) for i in range(0, len(some), 50)]
    means = np.concatenate([part.mean() for part in codes])
    variances = np.concatenate([part.variance() for part in codes])
    noise = rng.standard_normal((len(real), means.shape[1])).astype(np.float32)
    spread = np.linalg.cholesky(np.cov(means.T, bias=True) + np.diag(variances.mean(axis=0)))  # also of one image
    codes = np.concatenate([vae.encoder(real).mean(), noise, means.mean(axis=0) + noise @ spread.T]).astype(np.float32)
    Image.fromarray(plots.mosaic(np.concatenate([real, vae.decoder(codes).mean()]), columns=len(real))).save(path)


def run(options: argparse.Namespace) -> None:
    """Train as asked for; raises what ``data.load_cartoonset`` and ``training.fit`` raise."""
    _make_folder(options.resume)
    import tf_keras as keras

    strategy = _strategy(options.strategy)  # before anything touches a device
    from course_utils import models, networks, precision, runtime, training
    from course_utils.checkpoints import recorded_settings

    budget = BUDGETS["06"][options.budget or runtime.budget_name()]
    epochs, batch = options.epochs or budget["calibrated_epochs"], options.batch or budget["batch"]
    avatars = _load(options, budget)
    print(avatars)
    _say_what_is_used(avatars, batch)
    runtime.set_seed()
    choice = options.precision
    if choice == "auto":  # a training that goes on does so in the precision that it began with
        choice = recorded_settings(options.resume / "checkpoints").get("precision", "auto")
    with strategy.scope(), precision.using(choice) as number_type:
        encoder, decoder = networks.avatar_vae_networks()
        vae = models.VAE(
            models.posterior_of(encoder), models.calibrated_gaussian_of(decoder), models.standard_normal(200)
        )
    print(f"{epochs} epochs, batches of {batch}, {number_type}, {strategy.num_replicas_in_sync} device(s)")
    training.fit(
        vae,
        avatars.train_images,
        epochs=epochs,
        peak_rate=1e-3,
        batch_size=batch,
        callbacks=[keras.callbacks.TensorBoard(options.resume / "logs")],
        verbose=1,
        checkpoints=options.resume / "checkpoints",
        checkpoint_every=options.every,
    )
    # Some averages are spread over the workers, so that all of them have to take part. One keeps the files.
    keeps = getattr(strategy.extended, "should_checkpoint", True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.resume if keeps else Path(scratch)
        vae.save_weights(folder / "avatars.weights.h5")
        _picture(vae, avatars, folder / "picture.png")
    if keeps:
        print(f"Done. In {options.resume}: avatars.weights.h5, picture.png, checkpoints/, logs/")


def _tensorflow_error() -> type[Exception]:
    import tensorflow as tf  # looked up when something has failed, and then it is here already

    return tf.errors.OpError


def _in_one_line(error: Exception) -> str:
    """The message of an error of TensorFlow, without the code that it quotes in between."""
    lines = [line for line in str(error).splitlines() if not line.startswith((" ", "\t"))]
    return f"TensorFlow stopped with {type(error).__name__}: {' '.join(' '.join(lines).split())}"


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit code: 0, 1 for a failure with a message, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    try:
        run(options)
    except KeyboardInterrupt:
        print(f"\nInterrupted. What was done is in {options.resume}; run the same command to go on.", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        print(f"{parser().prog}: {error}", file=sys.stderr)
        return 1
    except _tensorflow_error() as error:
        print(f"{parser().prog}: {_in_one_line(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
