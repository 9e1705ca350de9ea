"""One run of the command: images, networks, training, and what it leaves behind."""

import argparse
import tempfile
from pathlib import Path

from course_utils.budgets import BUDGETS
from course_utils.command import beginning, peers
from course_utils.command.cluster import cluster_of_environment, strategy_of

LATENT_DIM = 200
OWN_SIDE = 64  # of own images, unless --size says otherwise


def _is_own(options: argparse.Namespace) -> bool:
    """Whether a folder of one's own images was named, and not Cartoon Set."""
    from course_utils import data

    named = options.data not in ("auto", "real", "drawn")
    return named and not options.download and not data.is_cartoonset(options.data)


def _load(options: argparse.Namespace, budget: dict):
    """The images that were asked for. What was named is used, or there is an error: then nothing is drawn."""
    from course_utils import data

    named = options.data not in ("auto", "real", "drawn")
    shaping = {name: getattr(options, name) for name in ("size", "channels", "fit")}
    shaping = {name: value for name, value in shaping.items() if value is not None}
    if _is_own(options):
        return data.load_folder(options.data, limit=options.images, **shaping)
    if shaping:
        raise ValueError(
            f"{', '.join(f'--{name}' for name in shaping)} would have no effect: Cartoon Set is trained at 256x256 "
            "pixels in colour. Leave it out, or name a folder of your own images by --data."
        )
    source = "real" if named or (options.download and options.data == "auto") else options.data
    everything = named or options.download
    try:
        return data.load_cartoonset(
            source=source,
            folder=options.data if named else None,
            download=options.download,
            limit=options.images or (None if everything else budget["images"]),
        )
    except data.DataError as error:  # the loader names its own argument
        raise data.DataError(str(error).replace("The argument folder", "--data")) from error


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
    """Eight held-out images, their reconstructions, prior draws and fitted draws, as a PNG."""
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
    """Train as asked for; raises what ``data.load_cartoonset``, ``data.load_folder`` and ``training.fit`` raise.

    What can go wrong is looked for before TensorFlow starts: the cluster, the folder of the run, memory.
    """
    cluster = cluster_of_environment() if options.strategy == "multiworker" else None
    with beginning.run_folder(options.resume, keeps=cluster is None or cluster.keeps_results):
        # Which budget is in force TensorFlow knows, which looks for a GPU: the batch is at least the smallest one.
        batch = options.batch or BUDGETS["06"]["smoke"]["batch"]
        beginning.refuse_little_memory(batch, (options.size or OWN_SIDE) if _is_own(options) else 256)
        with peers.watched(cluster):
            vae, avatars = _train(options)
        _leave_results(vae, avatars, options.resume)


def _train(options: argparse.Namespace):
    """The trained model, and the avatars it was trained on."""
    strategy = strategy_of(options.strategy)  # before anything touches a device
    peers.retake_signals()
    import tf_keras as keras

    from course_utils import data, models, networks, precision, runtime, training
    from course_utils.checkpoints import recorded_settings

    budget = BUDGETS["06"][options.budget or runtime.budget_name()]
    epochs, batch = options.epochs or budget["command_epochs"], options.batch or budget["batch"]
    avatars = _load(options, budget)
    print(avatars)
    _say_what_is_used(avatars, batch)
    runtime.set_seed()
    choice = options.precision
    if choice == "auto":  # a training that goes on does so in the precision that it began with
        choice = recorded_settings(options.resume / beginning.CHECKPOINTS).get("precision", "auto")
    with strategy.scope(), precision.using(choice) as number_type:
        if isinstance(avatars, data.OwnImages):
            encoder, decoder = networks.image_vae_networks(avatars.images.shape[1:], LATENT_DIM)
        else:
            encoder, decoder = networks.avatar_vae_networks(LATENT_DIM)
        vae = models.VAE(
            models.posterior_of(encoder), models.calibrated_gaussian_of(decoder), models.standard_normal(LATENT_DIM)
        )
    print(f"{epochs} epochs, batches of {batch}, {number_type}, {strategy.num_replicas_in_sync} device(s)")
    training.fit(
        vae,
        avatars.train_images,
        epochs=epochs,
        peak_rate=options.peak_rate,
        batch_size=batch,
        callbacks=[keras.callbacks.TensorBoard(options.resume / beginning.LOGS)],
        verbose=1,
        checkpoints=options.resume / beginning.CHECKPOINTS,
        checkpoint_every=options.every,
        mirror=options.mirror,
    )
    return vae, avatars


def _leave_results(vae, avatars, run: Path) -> None:
    """Weights and a picture, each whole or not there."""
    import tensorflow as tf

    from course_utils.border import files

    tf.get_logger().setLevel("ERROR")  # Keras warns of a model without a configuration, and only weights are saved
    # Some averages are spread over the workers, so that all of them have to take part. One keeps the files.
    keeps = getattr(vae.distribute_strategy.extended, "should_checkpoint", True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = run if keeps else Path(scratch)
        vae.save_weights(folder / beginning.WEIGHTS)  # whole or not there, by itself
        files.write_whole(folder / beginning.PICTURE, lambda part: _picture(vae, avatars, part))
    if keeps:
        print(f"Done. In {run}: {beginning.WEIGHTS}, picture.png, checkpoints/, logs/")
