"""The explorers of the site's first page and of the decks, made without a network: python tools/explorers.py

Weights come with the course; so do the held-out images whose codes are shown, in `figures/explorer/`. As a program,
with the real sets in `COURSE_DATA_DIR`, it writes those files anew.
"""

import functools
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402

from course_utils import data, models, networks, runtime, training  # noqa: E402
from course_utils.data.mnist import CLASSES  # noqa: E402
from course_utils.explorer import page, payload  # noqa: E402

FOLDER = Path(__file__).parents[1] / "figures" / "explorer"
GARMENTS, CREDIT = 2000, "Garments: Fashion-MNIST, Zalando SE, MIT licence"


def plane_model() -> models.VAE:
    """The networks of lesson 05, untrained."""
    encoder, decoder = networks.conv_vae_networks(2)
    return models.VAE(models.posterior_of(encoder), models.bernoulli_of(decoder), models.standard_normal(2))


@functools.cache
def plane() -> dict:
    """What the page knows of the plane of lesson 05."""
    stored, vae = np.load(FOLDER / "plane.npz"), plane_model()
    vae.set_weights([stored[f"weight{i}"].astype(np.float32) for i in range(len(vae.get_weights()))])
    images = 255 * np.unpackbits(stored["images"], axis=1).reshape(-1, 28, 28, 1)
    known = payload.payload_of(vae, images, stored["labels"], CLASSES["fashion-mnist"], None, "dimensions", "explorers")
    return known | {"note": CREDIT}


def script(name: str) -> str:
    """HTML for the end of a page with an element of this id, ``"plane"``: style and explorer."""
    return f"<style>\n{page.style()}</style>\n{page.script({'plane': plane}[name](), name)}"


def renew() -> None:
    """Train the plane, and keep it with garments that it was not trained on, as they are for it: binary."""
    runtime.set_seed()
    fashion, vae = data.load_fashion_mnist(source="real"), plane_model()
    training.fit(vae, data.binarise(fashion.train_images), epochs=10, peak_rate=3e-3, batch_size=128)
    weights = {f"weight{i}": weight.astype(np.float16) for i, weight in enumerate(vae.get_weights())}
    bits = np.packbits(fashion.test_images[:GARMENTS].reshape(GARMENTS, -1) > 127, axis=1)
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(FOLDER / "plane.npz", images=bits, labels=fashion.test_labels[:GARMENTS], **weights)


if __name__ == "__main__":
    renew()
