"""Short hair styles of an avatar as layers of masks, and what the long ones are made of too."""

import numpy as np

from course_utils.drawn.masks import Layer, both, closed, curve, layer, outlined, oval, symmetric, trace

Hair = tuple[list[Layer], list[Layer]]  # behind the shoulders, and over the face

SCALP = oval(0, 122, 58, 68)  # the head above the ears
SIDES = "56 118, 52 104, "  # where a hairline leaves the temple, on the right
GLOSS = curve("14 60, 29 65, 41 76")  # light from the upper right


def cap(hairline, out: float = 5, up: float = 6, low: float = 118) -> np.ndarray:
    """Hair that follows the head, ``out`` pixels wider and ``up`` higher, down to ``low``; hairline from the right."""
    crown = oval(0, 122, 58 + out, 68 + up, -80, 80, 13)
    left, right = (-58 - out, low), (58 + out, low)
    return closed([left, left, *crown, right, right, *trace(hairline)])


def curls(path, radius: float) -> list[np.ndarray]:
    """Discs along a path, a bigger one after a smaller one."""
    steps = np.r_[0, np.linalg.norm(np.diff(path, axis=0), axis=1).cumsum()]
    at = np.linspace(0, steps[-1], max(2, round(steps[-1] / (1.25 * radius))))
    centres = np.stack([np.interp(at, steps, path[:, axis]) for axis in (0, 1)], axis=1)
    return [oval(x, y, radius * (1 + 0.14 * (-1) ** i), number=24) for i, (x, y) in enumerate(centres)]


def ringlets(places: str, radius: float = 6) -> list[np.ndarray]:
    """Open rings that make discs read as curls: for each its middle, and the degrees at which it begins."""
    rings = [map(float, place.split()) for place in places.split(",")]
    return [curve(oval(x, y, radius, None, turn, turn + 250, 8)) for x, y, turn in rings]


def style(back=(), front=(), strands=(), shine=(), merged=False) -> Hair:
    """Hair behind and on the head, lines on the latter. ``merged``: no line where the front lies over the back."""
    behind = outlined("hair", *back) if back else []
    shadow = [shape + [0, 5] for shape in front]
    above = [
        layer("skin shade", *shadow, clip=[SCALP], strength=0.8),
        layer("hair line", *front, grow=1.5, clip=[SCALP] if merged else ()),
        layer("hair", *front),
    ]
    if strands:
        above.append(strokes(*strands))
    return behind, [*above, *(layer("hair light", (line, 3.4), strength=0.7) for line in shine)]


def strokes(*lines) -> Layer:
    """Thin lines that part the hair."""
    return layer("hair line", *((line, 1.6) for line in lines), strength=0.65)


def _bald():
    return [], [layer("skin light", curve("12 66, 28 70, 38 79"), grow=1.6, strength=0.7)]


def _buzz_cut():
    return style(front=[cap(symmetric("55 118, 52 102, 48 88, 30 79, 0 77"), 1, 2)], shine=[GLOSS])


def _side_part():
    crown = "-62 118!, -63 92, -56 66, -38 50, -30 56!, -14 38, 20 34, 50 48, 65 78, 64 104, 62 118!, "
    hairline = SIDES + "50 94, 40 86, 14 92, -18 90, -34 74!, -46 86, -52 104, -56 118"
    sweep = ("-30 57, -32 66, -34 74", "-26 66, 0 52, 30 56, 50 72", "-22 80, 4 72, 32 76")
    return style(front=[closed(crown + hairline)], strands=map(curve, sweep), shine=[curve("16 43, 34 47, 49 61")])


def _quiff():
    sides = cap(symmetric("55 118, 53 102, 47 84, 0 76"), 2, 2)
    top = closed("-48 84!, -54 62, -40 38, -8 30, 24 24, 52 32, 62 50, 53 76!, 28 85, -10 80")
    waves = map(curve, ("-36 76, -28 54, -2 44, 30 44", "-14 76, -2 62, 22 56, 48 60"))
    return style(front=[sides, top], strands=waves, shine=[curve("4 36, 24 33, 42 37")])


def _spiky():
    tips = trace("-62 84, -66 58, -46 40, -22 26, 4 20, 30 26, 52 42, 68 62, 64 86")
    hollows = [0, 112] + ((tips[:-1] + tips[1:]) / 2 - [0, 112]) * 0.83
    spikes = np.insert(tips, range(1, len(tips)), hollows, axis=0).repeat(2, axis=0)
    fringe = SIDES + "50 92, 38 80!, 24 92!, 14 80!, -4 94!, -12 80!, -30 91!, -38 80!, -50 92, -52 104, -56 118"
    hair = closed([*trace("-61 118!"), *spikes, *trace("61 118!"), *trace(fringe)])
    return style(front=[hair], strands=map(curve, ("-14 66, -10 52, -12 42", "18 66, 20 52, 26 42")), shine=[GLOSS])


def _short_curls():
    top = curls(oval(0, 118, 60, 70, -84, 84), 12) + curls(curve("44 84, 20 76, -20 76, -44 84"), 10)
    rings = ringlets("-34 68 200, -8 57 90, 28 74 150, 46 82 60, -48 90 240, 4 78 20")
    hair = [cap(symmetric(SIDES + "48 90, 30 82, 0 80"), 4, 6), *top]
    return style(front=hair, strands=rings, shine=ringlets("26 56 300", 5))


def _afro():
    ball = [oval(0, 100, 82, 74), *curls(oval(0, 100, 82, 74, -132, 132, 80), 13)]
    hairline = curls(curve("52 104, 46 86, 28 78, -28 78, -46 86, -52 104"), 7)
    front = [cap(symmetric(SIDES + "48 88, 30 79, 0 77"), 6, 8), *hairline]
    rings = ringlets("-52 62 200, -20 44 90, 18 46 150, 50 66 60, 0 64 20, 34 70 200, -32 72 120")
    return style(back=ball, front=front, strands=rings, shine=ringlets("34 44 300", 7), merged=True)


def _mohawk():
    shaved = layer("hair", cap(symmetric("55 118, 52 102, 48 88, 30 80, 0 78"), 1, 2), strength=0.4)
    crest = both("0 16, 9 28, 15 22!, 19 40, 27 36!, 26 58, 20 78, 10 87, 0 89")
    strands = [curve([(x, 80), (x * 1.1, 60), (x * 0.9, 44)]) for x in (-10, 0, 10)]
    behind, above = style(front=[crest], strands=strands)
    return behind, [shaved, *above]


# fmt: off
SHORT = {"bald": _bald, "buzz cut": _buzz_cut, "side part": _side_part, "quiff": _quiff, "spiky": _spiky,
         "mohawk": _mohawk, "short curls": _short_curls, "afro": _afro}
# fmt: on
