"""Train the avatar VAE of lesson 06 from a terminal: python -m course_utils.train --help"""

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

EPILOG = """\
examples:
  python -m course_utils.train
      the avatars that are here (COURSE_DATA_DIR, the cache, or drawn in code), at the budget of this machine
  python -m course_utils.train --data ~/cartoonset100k --epochs 60 --batch 128 --resume runs/all
      a folder of your own
  python -m course_utils.train --download 10k --resume /content/drive/MyDrive/avatars
      on Colab, with checkpoints on a mounted Drive; when the session is cut off, run the same line again
  python -m course_utils.train --strategy mirrored
      all GPUs of this machine; the batch is shared out among them
  TF_CONFIG='{"cluster": {"worker": ["host0:9000", "host1:9000"]}, "task": {"type": "worker", "index": 0}}' \\
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
    add("--data", default="auto", metavar="auto|real|drawn|FOLDER", help="where avatars come from (default: auto)")
    add("--download", choices=("10k", "100k"), help="fetch Cartoon Set, 450 MB or 4.4 GB, if it is not here")
    add("--images", type=_positive, help="use at most so many (default: the budget's)")
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

    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.MultiWorkerMirroredStrategy() if name == "multiworker" else tf.distribute.get_strategy()


def _picture(vae, avatars, path: Path) -> None:
    """Eight held-out avatars, their reconstructions, prior draws and fitted draws, as a PNG."""
    import numpy as np
    from PIL import Image

    from course_utils import data, plots, runtime

    rng = np.random.default_rng(runtime.SEED)
    some, real = avatars.train_images[:500], data.to_float(avatars.test_images[:8])
    codes = [vae.encoder(data.to_float(some[i : i + 50])) for i in range(0, len(some), 50)]
    means = np.concatenate([part.mean() for part in codes])
    variances = np.concatenate([part.variance() for part in codes])
    noise = rng.standard_normal((len(real), means.shape[1])).astype(np.float32)
    spread = np.linalg.cholesky(np.cov(means.T) + np.diag(variances.mean(axis=0)))
    shown = np.concatenate([vae.encoder(real).mean(), noise, means.mean(axis=0) + noise @ spread.T]).astype(np.float32)
    Image.fromarray(plots.mosaic(np.concatenate([real, vae.decoder(shown).mean()]), columns=len(real))).save(path)


def run(options: argparse.Namespace) -> None:
    """Train as asked for; raises what ``data.load_cartoonset`` and ``training.fit`` raise."""
    import tf_keras as keras

    strategy = _strategy(options.strategy)  # before anything touches a device
    from course_utils import data, models, networks, precision, runtime, training
    from course_utils._checkpoints import recorded_settings

    budget = runtime.BUDGETS["06"][options.budget or runtime.budget_name()]
    epochs, batch = options.epochs or budget["calibrated_epochs"], options.batch or budget["batch"]
    named = options.data in ("auto", "real", "drawn")
    avatars = data.load_cartoonset(
        source=options.data if named else "auto",
        folder=None if named else options.data,
        download=options.download,
        limit=options.images or budget["images"],
    )
    print(avatars)
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
    return 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
