"""Make the weights that come with the course: python tools/pretrain.py avatars|plane|digits --run FOLDER

Each is trained, resumable, in the folder of a run, judged on held-out images, and packed with its card into
course_utils/pretrained/. The avatars' training is that of

    python -m course_utils.train --data real --images 2000 --epochs EPOCHS --batch 16 --mirror --precision bfloat16

with weights kept along the way, from which the card tells what patience bought.
"""

import argparse
import json
import os
import time
from pathlib import Path

import tf_keras as keras

from course_utils import data, elbo, precision, pretrained, runtime, training
from course_utils.pretrained import loading, packing

if __package__:
    from tools.avatar_figures import judge_avatars
else:
    from avatar_figures import judge_avatars

KEPT = (2, 8, 20, 40, 60, 90, 120, 160, 200, 240, 300)
CREDIT = {
    "avatars": "Cartoon Set, Google LLC, CC BY 4.0; cropped and scaled by a third party",
    "plane": "Fashion-MNIST, Zalando SE, MIT",
    "digits": "MNIST, Y. LeCun, C. Cortes and C. J. C. Burges",
}

LICENCE = "weights: that of the course; the images keep theirs"
INTENDED = "teaching: reconstructions, draws and walks in lessons and slides; not for pictures of people"


class Keep(keras.callbacks.Callback):
    """Weights after some of the epochs, and the seconds that each one took."""

    watches_only = True

    def __init__(self, run: Path):
        super().__init__()
        self.run = run

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        with (self.run / "seconds.txt").open("a") as file:
            file.write(f"{epoch + 1} {time.perf_counter() - self.began:.1f}\n")
        if epoch + 1 in KEPT:
            self.model.save_weights(self.run / "along" / f"{epoch + 1:03d}.weights.h5")


def train(name: str, run: Path, epochs: int):
    """The trained VAE and its images."""
    runtime.set_seed()
    if name == "avatars":
        images = data.load_cartoonset("real", limit=2000)
        with precision.using("bfloat16"):
            vae = loading.build(name)
        settings = {"peak_rate": 1e-3, "batch_size": 16, "mirror": True}
    else:
        load = {"plane": data.load_fashion_mnist, "digits": data.load_mnist}[name]
        images, vae = load(source="real"), loading.build(name)
        settings = {"peak_rate": 3e-3, "batch_size": 128, "transform": "binarise"}
    training.fit(
        vae,
        images.train_images,
        epochs=epochs,
        verbose=2,
        checkpoints=run / "checkpoints",
        callbacks=[Keep(run)],
        **settings,
    )
    return vae, images


def judged_plane(vae, images) -> dict:
    """The bound of a plane on the held-out images, from 10 draws of z each."""
    report = elbo.evaluate(vae, data.binarise(images.test_images), samples=10)
    return {"held-out images": len(images.test_images)} | {key: round(value, 2) for key, value in report.items()}


def packed(name: str, vae) -> dict:
    """Write the two networks; the files and their checksums."""
    parts = {"encoder": vae.encoder, "decoder": vae.decoder}
    files = {part: f"{name}-{part}.npz" for part in parts}
    return {part: [file, packing.write(file, parts[part].layers[0].get_weights())] for part, file in files.items()}


def write_card(name: str, said: dict) -> None:
    """The card, beside the weights."""
    text = json.dumps(said, indent=1, ensure_ascii=False)
    (packing.FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=pretrained.NAMES)
    parser.add_argument("--run", type=Path, required=True, help="checkpoints and weights along the way")
    parser.add_argument("--epochs", type=int, help="default: 20 of the planes, 90 of the avatars")
    options = parser.parse_args()
    name, run = options.name, options.run
    epochs = options.epochs or (90 if name == "avatars" else 20)
    (run / "along").mkdir(parents=True, exist_ok=True)
    vae, images = train(name, run, epochs)
    seconds = dict(line.split() for line in (run / "seconds.txt").read_text().splitlines())
    said = {
        "what": f"system {15 if name == 'avatars' else 9}, latent_dim={vae.prior.event_shape[0]}",
        "data": images.origin.split(", from")[0],
        "credit": CREDIT[name],
        "licence": LICENCE,
        "intended use": INTENDED,
        "command": f"python tools/pretrain.py {name} --run runs/{name} --epochs {epochs}",
        "steps": int(vae.optimizer.iterations.numpy()),
        "seconds": round(sum(map(float, seconds.values()))),
        "cores": os.cpu_count(),
    }
    if name == "avatars":
        said["variance"] = float(vae.decoder.variance)
    said["files"] = packed(name, vae)
    write_card(name, said)
    shipped = pretrained.load(name)  # what is judged is what is shipped
    if name == "avatars":
        said |= judge_avatars(shipped, images, run / "along")
        said["files"]["codes"] = said.pop("codes")
    else:
        said["held-out"] = judged_plane(shipped, images)
    write_card(name, said)


if __name__ == "__main__":
    main()
