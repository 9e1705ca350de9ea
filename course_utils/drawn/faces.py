"""The face of an avatar as layers of masks: head, ears, neck, nose, mouth, eyes and brows."""

from functools import cache

import numpy as np

from course_utils.drawn.masks import Layer, both, closed, curve, layer, mirror, outlined, oval

EYE = np.array([25.0, 132.0])  # the middle of the right one
CHIN = (190, 199, 208)  # how far down the face goes: chin_length

# fmt: off
# The right half of the jaw below the ears, by face_shape: distance from the middle, share of the way down to the chin.
JAWS = {
    "oval": ((57, 0.25), (50, 0.55), (35, 0.84), (15, 0.98)),
    "round": ((58, 0.25), (55, 0.55), (42, 0.83), (20, 0.98)),
    "square": ((57, 0.28), (54, 0.60), (45, 0.87), (25, 0.99)),
    "heart": ((55, 0.22), (44, 0.55), (26, 0.84), (10, 0.98)),
    "diamond": ((57, 0.20), (53, 0.42), (32, 0.80), (16, 0.97)),
    "pear": ((58, 0.28), (59, 0.56), (48, 0.86), (23, 0.99)),
    "narrow": ((54, 0.22), (47, 0.55), (38, 0.83), (21, 0.98)),
}
# Height of a brow at its inner end, twice between and at its outer end, above the line it is drawn on: eyebrow_shape.
BROWS = {
    "straight": (0, 0, 0, 0), "soft arch": (-1.5, 1.5, 2, -2), "high arch": (-3, 3, 4, -3.5), "angled": (-4, 0, 4.5, 0),
    "worried": (4, 2, -1, -4), "stern": (-5, -1, 2, 3.5), "wavy": (1, -2, 3, 0),
}
# fmt: on


@cache
def outline(face_shape: int, chin_length: int) -> np.ndarray:
    """The head without ears. Above the ears it is the same for all, so that every hair style fits."""
    cranium = oval(0, 122, 58, 68, 0, 90, 6)
    jaw = [(x, 122 + down * (CHIN[chin_length] - 122)) for x, down in list(JAWS.values())[face_shape]]
    return both([*cranium, *jaw, (0, CHIN[chin_length])])


@cache
def head(face_shape: int, chin_length: int) -> list[Layer]:
    """Shoulders, neck, ears and head, with the shadow the head throws on the neck."""
    face = outline(face_shape, chin_length)
    neck = both("0 170, 27 172, 27 205, 28 220, 32 232, 32 250, 0 250")
    shirt = both("0 241, 20 237, 33 225!, 62 234, 90 244, 104 262, 104 270, 0 270")
    ear = closed("44 122, 58 121, 67 117, 73 124, 71 137, 65 149, 56 152, 44 146")
    hollow = curve("60 128, 66 125, 67 132, 63 138, 64 143")
    return [
        *outlined("skin", neck),
        layer("skin shade", face + [0, 11], clip=[neck]),
        *outlined("shirt", shirt),
        layer("shirt line", (curve("-38 232, -24 243, 0 248, 24 243, 38 232"), 1.8), strength=0.7),
        *outlined("skin", ear, mirror(ear)),
        layer("skin line", (hollow, 1.6), (mirror(hollow), 1.6), strength=0.8),
        *outlined("skin", face),
        layer("blush", oval(36, 157, 11, 7), oval(-36, 157, 11, 7), clip=[face], strength=0.25),
    ]


@cache
def nose_and_mouth() -> list[Layer]:
    """The same for every avatar."""
    lips = closed("-17 168!, 0 171, 17 168!, 10 178, 0 181, -10 178")
    teeth = closed("-17 166, 0 168, 17 166, 13 173, 0 175.5, -13 173")
    return [
        layer("skin shade", closed("-1 136, 6 148, 9 154, 0 156, -4 153, 3 149")),
        layer("skin line", (curve("-8 150, -6 155, 0 156.5, 6 155, 8 150"), 2)),
        layer("ink", lips, grow=1.2),
        layer("mouth", lips),
        layer("white", teeth, clip=[lips]),
        layer("tongue", oval(0, 183, 8, 5), clip=[lips]),
        layer("skin line", (curve("-5 184.5, 0 185.5, 5 184.5"), 1.5), strength=0.45),
    ]


@cache
def eyes(angle: int, slant: int, lid: int, lashes: int) -> list[Layer]:
    """Both eyes. ``angle`` lowers or raises their outer corner, ``slant`` turns them, ``lid`` is open or heavy."""
    outer = (5, 0, -5)[angle]
    turn = np.radians((11, 0, -11)[slant])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])

    def pair(points, width=None):
        points = np.asarray(points, float) @ rotation.T + EYE
        return [p if width is None else (p, width) for p in (points, mirror(points))]

    upper = [(-13.5, 2), (-9, -6.5), (0, -10 + outer / 4), (9, -6.5 + outer / 2), (14, outer)]
    ball = pair(closed([upper[0], *upper, upper[-1], (8, 7 + outer / 4), (0, 9), (-8, 7)]))
    irises = [oval(side * EYE[0], EYE[1] - 0.5, 7.6) for side in (1, -1)]
    rim = pair(curve(upper), 2.6)
    layers = [
        layer("white", *ball),
        layer("eye line", *irises, grow=0.8, clip=ball),
        layer("eye", *irises, clip=ball),
        layer("ink", *(oval(side * EYE[0], EYE[1] - 0.5, 3.9) for side in (1, -1)), clip=ball),
        layer("white", *(oval(side * EYE[0] + 2.6, EYE[1] - 3.4, 2) for side in (1, -1)), clip=ball),
        layer("skin line", *pair(curve([(-9, 7.5), (0, 9.5), (8, 7.5 + outer / 4)]), 1.3), strength=0.7),
    ]
    if lid:  # heavy: skin over the upper part of the eye
        edge = [(-15, 0), (-8, -3.5), (0, -4.5), (8, -3.5 + outer / 3), (15, outer * 0.8)]
        layers += [layer("skin shade", *pair([*edge, (15, -16), (-15, -16)]), clip=ball)]
        layers += [layer("ink", *pair(curve(edge), 2), clip=ball)]
    else:  # open: a crease above it
        layers += [layer("skin line", *pair(curve([(-9, -10), (0, -13.5 + outer / 4), (10, -10 + outer / 2)]), 1.4))]
    flicks = []
    if lashes:
        for x, y, dx, dy in ((14, outer, 6, -4), (11.5, -4 + outer * 0.7, 5, -5.5), (7.5, -7 + outer / 2, 3, -6)):
            flicks += pair(curve([(x, y), (x + dx * 0.6, y + dy * 0.4), (x + dx, y + dy)]), 1.9)
    return [*layers, layer("ink", *rim, *flicks)]


@cache
def brows(shape: int, weight: int, thickness: int, width: int, distance: int) -> list[Layer]:
    """Both brows. ``weight`` is light, running out in a point, or heavy; ``thickness`` and ``width`` scale them."""
    x = np.linspace(-15, 15, 4) * (0.75, 1, 1.2)[width]
    line = (
        curve(np.stack([x, [-height for height in list(BROWS.values())[shape]]], axis=1))
        + EYE
        - [-1, (18, 22.5, 27)[distance]]
    )
    along = np.linspace(0, 1, len(line))
    thick = (2.4, 3.6, 5.0, 6.6)[thickness]
    profile = (1 - 0.55 * along**2) if weight else 0.85 * np.minimum(1, 0.5 + 4 * along) * (1 - 0.95 * along**1.5)
    half = np.stack([0 * along, thick * profile / 2], axis=1)
    brow = np.concatenate([line - half, (line + half)[::-1]])
    return [layer("brow", brow, mirror(brow), grow=0.5)]
