"""Long hair styles of an avatar as layers of masks, and the table of all styles."""

from functools import cache

from course_utils.drawn.hair import GLOSS, SHORT, SIDES, Hair, cap, curls, ringlets, strokes, style
from course_utils.drawn.masks import both, closed, curve, mirror, outlined, oval, symmetric

PULLED = "57 108, 54 98, "  # where the hairline of hair pulled back leaves the temple


def _bob():
    back = both("0 46, 44 56, 70 92, 76 140, 72 184!, 40 196, 0 190")
    lock = closed("50 84, 64 84, 73 120, 76 150, 72 186!, 47 192!, 46 160, 54 128, 53 104")
    fringe = cap("54 118, 53 100!, 30 97, 0 96, -30 97, -53 100!, -54 118", 9, 9)
    strands = [curve([(x, 92), (x * 0.95, 80), (x * 0.7, 66)]) for x in (-36, -14, 10, 32)]
    return style([back], [fringe, lock, mirror(lock)], strands, [curve("20 54, 38 61, 52 76")])


def _long_straight():
    back = both("0 46, 44 56, 70 92, 78 150, 84 222!, 60 240, 0 236")
    lock = closed("40 70, 58 76, 70 110, 75 150, 82 205, 84 232!, 66 240, 52 234!, 58 200, 47 156, 55 122")
    top = cap(symmetric("56 122, 55 110, 46 90, 24 72, 3 61, 0 58"), 8, 8)
    strands = [curve("66 130, 70 170, 72 215"), curve("6 58, 34 70, 56 98")]
    strands += [*map(mirror, strands), curve("0 58, 0 48")]
    return style([back], [top, lock, mirror(lock)], strands, [curve("26 56, 44 66, 55 80")])


def _long_waves():
    back = both("0 42, 46 52, 72 84, 84 112, 76 136, 90 162, 82 186, 94 212, 84 236, 50 240, 0 236")
    outer, inner = "44 80, 60 76, 76 104, 80 118, 74 138, 86 162, 80 186, 91 212, 82 234!, ", "62 226, 66 204, 56 184, "
    lock = closed(outer + inner + "49 162, 52 140, 56 116")
    top = cap("56 120, 55 108, 44 92, 18 84, -8 74, -28 60, -40 78, -53 104, -57 120", 9, 12)
    wave = curve("70 112, 67 136, 76 162, 72 186, 80 212")
    strands = [wave, mirror(wave), curve("-28 60, 0 60, 32 74, 52 96")]
    return style([back], [top, lock, mirror(lock)], strands, [curve("14 50, 34 56, 50 70")])


def _long_curls():
    back = both("0 46, 44 56, 68 92, 74 150, 76 220, 0 226")
    side = [
        *curls(curve("62 92, 72 120, 74 150, 78 184, 76 216"), 15),
        closed("58 96, 74 120, 76 190, 62 196, 47 156, 56 124"),
    ]
    top = [cap(symmetric(SIDES + "44 86, 20 72, 0 66"), 8, 9), *curls(oval(0, 122, 62, 74, -62, 62), 11)]
    rings = "74 126 60, 76 160 200, 76 196 80, -74 126 240, -76 160 90, -76 196 200, -30 62 220, 28 58 120"
    return style([back], [*top, *side, *map(mirror, side)], ringlets(rings, 7), ringlets("40 68 300"))


def _bun():
    pull = [curve([(x, 82 - abs(x) * 0.05), (x * 0.8, 66), (x * 0.35, 54)]) for x in (-36, -14, 14, 36)]
    top = cap(symmetric(PULLED + "46 86, 24 77, 0 75"), 3, 4, 108)
    behind, above = style([oval(0, 38, 25, 21)], [top], pull, [GLOSS])
    return [*behind, strokes(curve("-16 44, -6 30, 12 28, 18 38"), curve("-4 46, 4 40, 10 42"))], above


def _ponytail():
    tail = closed("34 62, 56 46, 82 58, 94 96, 88 140, 98 180, 84 206!, 74 176, 72 140, 74 104, 62 84")
    top = cap(PULLED + "46 88, 20 84, -14 78, -38 81, -54 98, -57 108", 3, 5, 108)
    pull = [curve("-30 78, 0 66, 40 62"), curve("6 82, 28 72, 46 70")]
    behind, above = style([tail], [top], pull, [curve("-34 66, -18 58, 0 55")])
    band = outlined("band", closed("50 56, 58 52, 68 74, 60 80"))
    return [*behind, strokes(curve("68 66, 82 96, 79 140, 86 180")), *band], above


def _braids():
    braid = [
        *curls(curve("66 96, 84 112, 86 144, 80 176, 78 204"), 12),
        closed("72 208, 84 208, 82 224, 78 232!, 72 222"),
    ]
    middles = ((86, 126), (86, 144), (83, 160), (80, 176), (78, 192))
    crossings = [curve([(x - 8, y - 3), (x, y + 4), (x + 8, y - 1)]) for x, y in middles]
    top = cap(symmetric(PULLED + "46 84, 24 71, 4 62, 0 59"), 3, 5, 108)
    behind, above = style([*braid, *map(mirror, braid)], [top], [curve("0 58, 0 50")], [GLOSS])
    band = closed("70 203, 86 203, 86 210, 70 210")
    return [*behind, strokes(*crossings, *map(mirror, crossings)), *outlined("band", band, mirror(band))], above


# fmt: off
STYLES = {**SHORT, "bob": _bob, "long straight": _long_straight, "long waves": _long_waves, "long curls": _long_curls,
          "bun": _bun, "ponytail": _ponytail, "braids": _braids}
# fmt: on


@cache
def hair(index: int) -> Hair:
    """The layers of one style: those behind the shoulders, and those over the face."""
    return list(STYLES.values())[index]()
