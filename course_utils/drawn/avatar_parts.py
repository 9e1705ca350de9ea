"""One avatar from its factors: layers of masks, each pasted in a tone that follows from the four colours."""

from collections.abc import Mapping

import numpy as np
from PIL import Image

from course_utils.drawn import faces as faces
from course_utils.drawn.beards_glasses import FACIAL_HAIR, GLASSES, facial_hair, glasses
from course_utils.drawn.long_hair import STYLES, hair
from course_utils.drawn.masks import SIDE

# fmt: off
COLOURS = {
    "eye_color": {"brown": "6b4226", "hazel": "a5803c", "green": "4c9150", "blue": "3a86c8", "grey": "8695a3"},
    "face_color": {"porcelain": "fde8dc", "rose": "f8c6b6", "peach": "eeb385", "honey": "d0965f", "caramel": "ad7346",
                   "chestnut": "8f5d48", "espresso": "5c3729"},
    "hair_color": {"black": "2c2529", "dark brown": "48302a", "brown": "7b4520", "auburn": "a8402b", "copper": "de7430",
                   "blond": "e6b54f", "platinum": "f6e3a6", "silver": "c2c7cf", "blue": "4a7fb5", "pink": "e58fae"},
    "glasses_color": {"black": "2a2a30", "tortoise": "85512b", "red": "cc4038", "blue": "2f6bb3", "teal": "1c9c8c",
                      "gold": "dba93c", "violet": "7d54a8"},
}
ARTWORK = {
    "chin_length": ("short", "medium", "long"),
    "eye_angle": ("outer corner low", "level", "outer corner high"),
    "eye_lashes": ("plain", "lashes"),
    "eye_lid": ("open", "heavy"),
    "eyebrow_shape": tuple(faces.BROWS),
    "eyebrow_weight": ("light", "heavy"),
    "face_shape": tuple(faces.JAWS),
    "facial_hair": FACIAL_HAIR,
    "glasses": tuple(GLASSES),
    "hair": tuple(STYLES),
}
PROPORTIONS = {
    "eye_eyebrow_distance": ("near", "medium", "far"),
    "eye_slant": ("down", "level", "up"),
    "eyebrow_thickness": ("thin", "medium", "thick", "bushy"),
    "eyebrow_width": ("narrow", "medium", "wide"),
}
FIXED = {"white": (255, 255, 255), "ink": (38, 28, 34), "mouth": (122, 38, 48), "tongue": (226, 112, 112),
         "shirt": (96, 125, 150), "lens": (190, 220, 240), "dark lens": (34, 36, 46), "band": (214, 84, 92)}
# fmt: on
OFTEN_ABSENT = ("facial_hair", "glasses")  # "none", their first category, is drawn half of the time
KINDS = {"artwork": tuple(ARTWORK), "colour": tuple(COLOURS), "proportion": tuple(PROPORTIONS)}
FACTORS = {**ARTWORK, **{name: tuple(colours) for name, colours in COLOURS.items()}, **PROPORTIONS}


def picture(factors: Mapping[str, int]) -> np.ndarray:
    """One avatar on white, uint8 ``(256, 256, 3)``."""
    index = {name: int(factors[name]) for name in FACTORS}
    tones = _tones(index)
    page = Image.new("RGB", (SIDE, SIDE), "white")
    for tone, corner, mask in _layers(index):
        page.paste(tones[tone], corner, mask)
    return np.array(page)


def _layers(index):
    """Every layer from the back to the front. The parts are drawn once a process and kept."""
    behind, above = hair(index["hair"])
    face = index["face_shape"], index["chin_length"]
    yield from behind
    yield from faces.head(*face)
    yield from facial_hair(index["facial_hair"], *face)
    yield from faces.nose_and_mouth()
    yield from faces.eyes(index["eye_angle"], index["eye_slant"], index["eye_lid"], index["eye_lashes"])
    yield from above
    parts = ("eyebrow_shape", "eyebrow_weight", "eyebrow_thickness", "eyebrow_width", "eye_eyebrow_distance")
    yield from faces.brows(*(index[part] for part in parts))
    yield from glasses(index["glasses"])


def _tones(index) -> dict[str, tuple[int, int, int]]:
    eye, skin, tress, frame = (
        tuple(bytes.fromhex(list(COLOURS[name].values())[index[name]]))
        for name in ("eye_color", "face_color", "hair_color", "glasses_color")
    )
    dark, white = (38, 20, 28), (255, 255, 255)
    return {
        **FIXED,
        "skin": skin, "skin shade": _mix(skin, (150, 60, 50), 0.2), "skin line": _mix(skin, dark, 0.66),
        "skin light": _mix(skin, white, 0.45), "blush": _mix(skin, (230, 80, 80), 0.5),
        "hair": tress, "hair line": _mix(tress, dark, 0.5), "hair light": _mix(tress, white, 0.45),
        "beard": _mix(tress, dark, 0.08), "beard line": _mix(tress, dark, 0.5), "brow": _mix(tress, dark, 0.3),
        "eye": eye, "eye line": _mix(eye, dark, 0.5), "frame": frame, "frame line": _mix(frame, dark, 0.5),
        "shirt line": _mix(FIXED["shirt"], dark, 0.5), "band line": _mix(FIXED["band"], dark, 0.5),
    }  # fmt: skip


def _mix(colour, other, share):
    return tuple(round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
