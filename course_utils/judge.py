"""Print what a trained VAE is worth, its card, from a terminal: python -m course_utils.judge --help"""

import argparse
import contextlib
import sys
from pathlib import Path

from course_utils.command import in_one_line, positive, side, tensorflow_error

SETS = ("mnist", "fashion")
EPILOG = """\
networks of the course, which are built again and take the weights that vae.save_weights has written:
  conv, dense   lesson 05, for images of 28x28 pixels in grey, binarised at 0.5; Bernoulli likelihood
  image         those of python -m course_utils.train, for images of any size; Gaussian likelihood, its variance learned

examples:
  python -m course_utils.judge vae.weights.h5 --data fashion
  python -m course_utils.judge vae.weights.h5 --data mnist --networks dense --latent-dim 10 --k 5000 --images 10000
  python -m course_utils.judge runs/photos/model.weights.h5 --data ~/photos --size 96 --fit pad

Held-out images are judged, in nats per image: summed over pixels and latent dimensions, averaged over images."""


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    result = argparse.ArgumentParser(
        prog="python -m course_utils.judge",
        description="Print a card of a trained VAE: its bounds on log p(x), what its codes hold, how it reconstructs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("weights", type=Path, metavar="WEIGHTS", help="the file, NAME.weights.h5")
    add("--data", required=True, metavar="mnist|fashion|FOLDER", help="the images to judge by; Cartoon Set is a FOLDER")
    add(
        "--networks", choices=("conv", "dense", "image"), help="default: conv for mnist and fashion, image for a FOLDER"
    )
    add("--latent-dim", type=positive, metavar="NUMBER", help="default: 2, of image networks 200")
    add("--k", type=positive, default=50, metavar="DRAWS", help="of the importance-weighted bound (default: 50)")
    add(
        "--images", type=positive, metavar="NUMBER", help="held-out images, at most (default: 1,000; 100 of large ones)"
    )
    add("--size", type=side, metavar="PIXELS", help="own images: their side, as in training (default: 64)")
    add("--channels", type=int, choices=(1, 3), help="own images: 1 for grey, 3 for colour (default: 3)")
    add("--fit", choices=("crop", "pad"), help="own images: as in training (default: crop)")
    return result


def run(options: argparse.Namespace) -> None:
    """Build the model, load weights and images, print the card; raises ``ValueError`` and ``OSError``."""
    import tensorflow as tf

    from course_utils import data, runtime

    tf.get_logger().setLevel("ERROR")  # Keras warns of a model without a configuration, and only weights are loaded
    runtime.set_seed()
    shaping = {name: getattr(options, name) for name in ("size", "channels", "fit") if getattr(options, name)}
    published = options.data in SETS or data.is_cartoonset(options.data)
    if published and shaping:
        raise ValueError(f"--{next(iter(shaping))} would have no effect on {options.data}. Leave it out.")
    if options.data in SETS:
        shape = (28, 28, 1)
    else:
        shape = (256, 256, 3) if published else (*[shaping.get("size", 64)] * 2, shaping.get("channels", 3))
    vae, said = _model(options, shape)
    if options.data in SETS:
        images = data.load_mnist() if options.data == "mnist" else data.load_fashion_mnist()
    elif published:
        images = data.load_cartoonset(source="real", folder=options.data)
    else:
        images = data.load_folder(options.data, **{"size": 64, "channels": 3} | shaping)
    print(f"{options.weights.name}: {said}\n{images}")
    _print_card(
        vae, _held_out(images, options.images or (1000 if shape[0] == 28 else 100), vae.parts.binary), options.k
    )


def _model(options: argparse.Namespace, shape: tuple[int, int, int]):
    """The VAE with its weights, and a sentence that says what it is."""
    from course_utils import models, networks

    kind = options.networks or ("conv" if options.data in SETS else "image")
    latent_dim = options.latent_dim or (200 if kind == "image" else 2)
    if kind == "image":
        encoder, decoder = networks.image_vae_networks(shape, latent_dim)
        likelihood, words = models.calibrated_gaussian_of, "Gaussian pixels of learned variance"
    elif shape != (28, 28, 1):
        raise ValueError(
            f"--networks {kind} is for images of 28x28 pixels in grey, and these have the shape {shape}. Leave it out, "
            "or take --size 28 --channels 1."
        )
    else:
        build = {"conv": networks.conv_vae_networks, "dense": networks.dense_vae_networks}[kind]
        encoder, decoder = build(latent_dim)
        likelihood, words = models.bernoulli_of, "Bernoulli pixels, binarised at 0.5"
    vae = models.VAE(models.posterior_of(encoder), likelihood(decoder), models.standard_normal(latent_dim))
    try:
        vae.load_weights(options.weights.expanduser())
    except ValueError as error:
        way_out = f"This is {kind} with latent_dim={latent_dim}; --networks and --latent-dim take others."
        raise ValueError(f"{error} {way_out}" if "does not fit" in str(error) else str(error)) from error
    return vae, f"{kind} networks, latent_dim={latent_dim}, {words}"


def _held_out(images, number: int, binary: bool):
    """Some of the held-out images, chosen by lot, as the model takes them; says how many, and of which."""
    import numpy as np

    from course_utils import data, runtime

    pixels, words = images.test_images, "held-out images"
    if not len(pixels):
        pixels, words = images.train_images, "images OF THE TRAINING, as none are held out"
    number = min(number, len(pixels))
    some = np.sort(np.random.default_rng(runtime.SEED).choice(len(pixels), number, replace=False))
    print(f"Judged by {number:,} of {len(pixels):,} {words}, in nats per image, with standard errors over images.\n")
    return (data.binarise if binary else data.to_float)(pixels[some])


def _print_card(vae, images, k: int) -> None:
    import numpy as np

    from course_utils import metrics

    batch = max(1, 784_000 // (images.shape[1] * images.shape[2]))  # 1,000 images of 28x28 pixels
    terms = metrics.rate_distortion(vae, images, batch)
    _print_row("negative ELBO", terms.negative_elbo, "at one z drawn for each image")
    _print_row("  distortion", terms.distortion, "E_q[-log p(x|z)]")
    _print_row("  rate", terms.rate, "KL(q(z|x) || p(z))")
    bound = metrics.importance_weighted_bound(vae, images, k, batch)
    _print_row(f"negative IWAE-{k}", bound._replace(mean=-bound.mean), "-log p(x) is no larger, in expectation")
    kl = np.sort(metrics.kl_per_dimension(vae, images, batch))[::-1]
    active = metrics.active_units(vae, images, batch_size=batch)
    print(f"{'active units':18}{active:9} of {len(kl)}")
    rest = f"; the other {len(kl) - 8} together {kl[8:].sum():.2f}" if len(kl) > 8 else ""
    print(f"{'KL per dimension':18}{' '.join(f'{value:9.2f}' for value in kl[:8])}{rest}")
    starts = range(0, len(images), batch)
    means = [vae.decoder(vae.encoder(images[i : i + batch]).mean()).mean() for i in starts]
    print(f"{'reconstruction':18}{metrics.psnr(np.concatenate(means), images):9.2f} dB, from the posterior's mean")
    if not vae.parts.binary:
        print("\nDensities of grey or coloured pixels: not on one scale with nats of binary ones.")


def _print_row(name: str, estimate, meaning: str) -> None:
    print(f"{name:18}{estimate.mean:9.2f} ± {estimate.standard_error:.2f}   {meaning}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit code: 0, 1 for a failure with a message, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    try:
        run(options)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError, MemoryError, ArithmeticError) as error:
        print(f"{parser().prog}: {error}", file=sys.stderr)
        return 1
    except tensorflow_error() as error:
        print(f"{parser().prog}: {in_one_line(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
