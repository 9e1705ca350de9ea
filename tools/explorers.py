"""The explorers of the site's first page and of the decks, made without a network: python tools/explorers.py

Weights and codes come with the course; the few held-out images that are shown stand in `figures/explorer/`. As a
program, with the real sets in `COURSE_DATA_DIR`, it writes those files anew.
"""

import functools
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from course_utils import data, pretrained  # noqa: E402
from course_utils.data.mnist import CLASSES  # noqa: E402
from course_utils.explorer import packing, page, payload  # noqa: E402

FOLDER = Path(__file__).parents[1] / "figures" / "explorer"
GARMENTS, CREDIT = 2000, "Garments: Fashion-MNIST, Zalando SE, MIT licence"
PALE, DARK = ("fbdbd1", "fbcdb6", "f6d8c1"), ("603d30", "88594b", "aa7454")  # skin, as Cartoon Set has it


@functools.cache
def plane() -> dict:
    """What the page knows of the plane of lesson 05."""
    stored, names = np.load(FOLDER / "plane.npz"), CLASSES["fashion-mnist"]
    images = 255 * np.unpackbits(stored["images"], axis=1).reshape(-1, 28, 28, 1)
    vae = pretrained.load("plane")
    return payload.payload_of(vae, images, stored["labels"], names, None, "dimensions", "explorers") | {"note": CREDIT}


@functools.cache
def avatars() -> dict:
    """What the page knows of the avatars of lesson 06: codes along their principal directions, three named ones."""
    codes, images = pretrained.codes(), np.asarray(Image.open(FOLDER / "avatars.jpg"))
    hair, skin = codes.categories["hair"], codes.categories["face_rgb"]
    images = images.reshape(256, len(hair), 256, 3).swapaxes(0, 1)

    def direction(labels, to, off):
        found = [codes.train_mean[np.isin(labels, kinds)].mean(axis=0) for kinds in (to, off)]
        return found[0] - found[1]

    directions = {
        "glasses": direction(codes.train_labels["eyeglasses"], [1], [0]),
        "blond hair": direction(codes.train_labels["hair"], [hair.index("blond")], [hair.index("black")]),
        "pale skin": direction(
            codes.train_labels["face_rgb"], *([skin.index(x) for x in kind] for kind in (PALE, DARK))
        ),
    }
    labels = np.arange(len(hair))
    known = payload.payload_of(pretrained.load("avatars"), images, labels, hair, directions, "principal", "explorers")
    axes = payload.axes_of(codes.train_mean, "principal", "explorers")
    places = codes.train_mean @ np.array(list(axes.values())).T
    note = {"labels": codes.train_labels["hair"].tolist(), "note": "Avatars: " + pretrained.card("avatars")["credit"]}
    place = {"start": codes.train_mean.mean(axis=0).tolist(), "axes": payload.as_text(axes)}
    return known | note | place | {"codes": packing.base64_of(places, "float32")}


def script(name: str) -> str:
    """HTML for the end of a page with an element of this id, ``"plane"`` or ``"avatars"``: style and explorer."""
    return f"<style>\n{page.style()}</style>\n{page.script({'plane': plane, 'avatars': avatars}[name](), name)}"


def renew() -> None:
    """Keep held-out garments, as the plane is given them: binary. And of each colour of hair a typical avatar."""
    fashion = data.load_fashion_mnist(source="real")
    bits = np.packbits(fashion.test_images[:GARMENTS].reshape(GARMENTS, -1) > 127, axis=1)
    np.savez_compressed(FOLDER / "plane.npz", images=bits, labels=fashion.test_labels[:GARMENTS])
    images, codes = data.load_cartoonset("real", limit=2000), pretrained.codes()
    chosen = payload.typical(codes.test_mean, codes.test_labels["hair"])
    row = np.concatenate([np.asarray(images.test_images[i]) for i in chosen], axis=1)
    Image.fromarray(row).save(FOLDER / "avatars.jpg", quality=92)


if __name__ == "__main__":
    renew()
