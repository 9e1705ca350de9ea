"""What an avatar may wear in its face, as layers of masks: facial hair, which follows the jaw, and glasses."""

from functools import cache

import numpy as np

from course_utils.drawn.faces import CHIN, EYE, outline
from course_utils.drawn.masks import Layer, both, closed, curve, layer, mirror, outlined, oval, trace

# fmt: off
FACIAL_HAIR = ("none", "stubble", "moustache", "handlebar", "goatee", "circle beard", "side whiskers", "short beard",
               "long beard")
# The right lens, the thickness of the frame, and whether the lens is dark.
GLASSES = {
    "none": None,
    "round": (oval(*EYE, 18), 2.6, False),
    "square": (closed("8 119, 25 117, 43 119, 45 132, 42 146, 25 148, 9 146, 6 132"), 3.4, False),
    "oval": (oval(25, 133, 19.5, 12.5), 2.6, False),
    "cat-eye": (closed("5 123!, 18 118, 40 115, 50 113!, 46 130, 38 145, 22 147, 9 140"), 3.4, False),
    "browline": (closed("8 121, 25 119, 43 121, 45 132, 41 144, 25 148, 10 143, 6 131"), 2.0, False),
    "aviator": (closed("7 121, 25 118, 44 120, 46 130, 40 148, 28 153, 14 147, 7 134"), 2.2, True),
    "round sunglasses": (oval(*EYE, 18.5), 3.2, True),
    "sunglasses": (closed("6 120!, 26 117, 47 119!, 44 140, 35 147, 18 147, 9 141"), 4.0, True),
}
# fmt: on
BELOW_TEMPLES = trace("-80 112, 80 112, 80 256, -80 256")
MOUSTACHE = closed("-22 169!, -12 160, 0 161, 12 160, 22 169!, 11 166, 0 165.5, -11 166")
AROUND_MOUTH = closed("-19 167, -9 165, 0 166, 9 165, 19 167, 13 180, 0 184, -13 180")
# What stays free of a beard, and of side whiskers.
CHEEKS = both("0 90, 70 90!, 60 112!, 50 134, 46 148, 33 161, 16 157, 0 160")
MIDDLE = both("0 90, 70 90!, 60 112!, 49 134, 44 150, 27 164, 22 180, 18 220, 0 240")


@cache
def facial_hair(style: int, face_shape: int, chin_length: int) -> list[Layer]:
    """Facial hair of one style on a face of this shape."""
    name, chin = FACIAL_HAIR[style], CHIN[chin_length]
    free = {"erase": [CHEEKS, AROUND_MOUTH], "clip": [BELOW_TEMPLES]}
    if name == "none":
        return []
    if name == "stubble":
        return [layer("hair", _beard(face_shape, chin_length, 0, -1.5), **free, strength=0.3)]
    if name == "moustache":
        return outlined("beard", MOUSTACHE)
    if name == "handlebar":
        end = curve("16 165, 24 170, 31 168, 32 161")
        return outlined("beard", MOUSTACHE, (end, 4), (mirror(end), 4))
    if name == "goatee":
        return outlined("beard", both([(0, 186), (9, 185), (15, 190), (14, chin + 1), (7, chin + 10), (0, chin + 13)]))
    if name == "circle beard":
        ring = both([(0, 159), (14, 158), (25, 166), (25, 180), (17, chin - 2), (0, chin + 4)])
        return outlined("beard", ring, erase=[AROUND_MOUTH])
    if name == "side whiskers":
        return outlined("beard", _beard(face_shape, chin_length, 0, 1), erase=[MIDDLE], clip=[BELOW_TEMPLES])
    if name == "short beard":
        return outlined("beard", _beard(face_shape, chin_length, 3, 1.5), **free)
    strands = [curve([(x, 190), (x * 0.9, chin), (x * 0.55, chin + 14)]) for x in (-18, -6, 6, 18)]
    return [
        *outlined("beard", _beard(face_shape, chin_length, 24, 2.5), **free),
        layer("beard line", *((strand, 1.5) for strand in strands), strength=0.5),
    ]


def _beard(face_shape: int, chin_length: int, hang: float, out: float) -> np.ndarray:
    """The outline of the jaw, ``out`` pixels wider, and ``hang`` pixels longer at the chin, where it narrows."""
    face = outline(face_shape, chin_length)
    jaw = face[(face[:, 1] > 108) & (face[:, 0] >= 0)]
    jaw = jaw[np.argsort(jaw[:, 1], kind="stable")]
    down = np.clip((jaw[:, 1] - 150) / (CHIN[chin_length] - 150), 0, 1)
    x = jaw[:, 0] * (1 - hang / 120 * down**3) + np.sign(jaw[:, 0]) * out
    half = np.stack([x, jaw[:, 1] + hang * down**2], axis=1)
    return np.concatenate([half, mirror(half)[::-1]])


@cache
def glasses(style: int) -> list[Layer]:
    """Lenses, frame, arms that reach the ears, and a glint."""
    name = list(GLASSES)[style]
    if name == "none":
        return []
    lens, thickness, dark = GLASSES[name]
    hinge = lens[lens[:, 0].argmax()]
    loop = np.concatenate([lens, lens[:2]])
    arm = np.array([(hinge[0] - 0.5, min(hinge[1], 129)), (60, 126)])
    strokes = [
        (line, thickness) for line in (loop, mirror(loop), arm, mirror(arm), curve("-7.5 130, 0 126.5, 7.5 130"))
    ]
    if name == "browline":
        bar = curve("7 122, 25 119.5, 44 121.5")
        strokes += [(bar, 6), (mirror(bar), 6)]
    glints = [(trace([(side * EYE[0] - 9, EYE[1] + 3), (side * EYE[0] - 2, EYE[1] - 8)]), 2.6) for side in (1, -1)]
    return [
        layer("dark lens" if dark else "lens", lens, mirror(lens), strength=0.88 if dark else 0.17),
        layer("frame line", *strokes, grow=0.9),
        layer("frame", *strokes),
        layer("white", *glints, strength=0.48),
    ]
