"""One garment of each class: outlines, seams and shades whose proportions are random, drawn large and averaged down."""

import numpy as np
from PIL import Image, ImageDraw

from course_utils.drawn.digit_strokes import FINE, SIDE, spline


def garment(label: int, rng: np.random.Generator) -> np.ndarray:
    """The shape of one garment with its seams and shades, 1 for full cloth: ``(28, 28)``."""
    page = Image.new("L", (SIDE * FINE, SIDE * FINE))
    draw = ImageDraw.Draw(page)
    turn, shift = rng.normal(0, 0.03), rng.normal(0, 0.4, 2)
    stretch = rng.uniform(0.93, 1.04, 2)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * stretch[:, None]
    for kind, points, grey, *width in PATTERNS[label](rng):
        fine = (((np.asarray(points, float) - 14) @ rotation.T + 14 + shift) * FINE).clip(2, SIDE * FINE - 3)
        corners = [tuple(point) for point in fine]
        if kind == "fill":
            draw.polygon(corners, fill=int(255 * grey))
        else:
            draw.line(corners, fill=int(255 * grey), width=max(1, round(width[0] * FINE)), joint="curve")
    return np.asarray(page.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32) / 255


def _both_sides(half) -> np.ndarray:
    """An outline given as its right half, from top to bottom, distances from the middle line."""
    half = np.array(half)
    return np.concatenate([half * [1, 1] + [14, 0], (half * [-1, 1] + [14, 0])[::-1]])


def _top(rng, sleeve: float, hem: float, body: float, flare: float = 0.3):
    """A body with two sleeves. ``sleeve`` is where they end, ``hem`` where the body does, ``body`` half its width."""
    neck, deep, shoulder = rng.uniform(2, 3.2), rng.uniform(1.2, 3), rng.uniform(6.2, 7.2)
    out = min(12.6, body + 1.6 + (sleeve - 4) * rng.uniform(0.22, 0.3))
    wide = rng.uniform(2.6, 3.4)
    arm = (
        [(shoulder, 3.6), (out, sleeve), (max(out - wide, body + 0.5), sleeve + 0.7), (body, 9.0)]
        if sleeve
        else [(body - 0.6, 4)]
    )
    outline = _both_sides([(neck, 2.2), *arm, (body, 12), (body + flare, hem)])
    opening = _both_sides([(neck, 2), (neck * 0.5, 2.2 + deep * 0.8), (0, 2.2 + deep)])
    return [("fill", outline, 1.0), ("fill", opening, 0.0)]


def _long_top(rng, hem, flare=0.2):
    shapes = _top(rng, rng.uniform(20, 24.5), hem, rng.uniform(5.3, 6.6), flare)
    gap = rng.uniform(5.9, 7.0)
    return [*shapes, *(("line", [(14 + side * gap, 10), (14 + side * (gap + 1.0), 23)], 0.25, 0.5) for side in (-1, 1))]


def _tshirt(rng):
    shapes = _top(rng, rng.uniform(8, 11.5), rng.uniform(24, 26), rng.uniform(5.6, 7.2), 0.1)
    if rng.random() < 0.4:  # a print on the chest
        x, y, size = 14 + rng.normal(0, 0.4), rng.uniform(10, 14), rng.uniform(1.5, 3)
        shapes.append(
            ("fill", [(x - size, y - size), (x + size, y - size), (x + size, y + size), (x - size, y + size)], 0.45)
        )
    return shapes


def _trouser(rng):
    waist, crotch, ankle, apart = rng.uniform(3.6, 5), rng.uniform(8, 11), rng.uniform(1.8, 3.0), rng.uniform(0.5, 2.2)
    return [
        ("fill", _both_sides([(waist, 2), (waist + 0.9, crotch), (apart + ankle, 26), (apart, 26), (0.2, crotch)]), 1.0)
    ]


def _pullover(rng):
    shapes = _long_top(rng, rng.uniform(23, 25.5))
    return [*shapes, ("line", [(8.5, 23.2), (19.5, 23.2)], 0.7, 0.6)] if rng.random() < 0.5 else shapes


def _dress(rng):
    bust, waist, hem = rng.uniform(3, 4.2), rng.uniform(2.4, 3.6), rng.uniform(3.6, 8)
    sleeve = (
        [(bust + 2.5, 4), (bust + rng.uniform(2.5, 4), rng.uniform(8, 15)), (bust + 0.8, 9)]
        if rng.random() < 0.4
        else [(bust, 4.5)]
    )
    neck = _both_sides([(1.8, 1.5), (0, rng.uniform(3, 5))])
    return [
        ("fill", _both_sides([(bust - 1, 1.8), *sleeve, (bust, 8), (waist, 11.5), (hem, 26)]), 1.0),
        ("fill", neck, 0.0),
    ]


def _coat(rng):
    shapes = _long_top(rng, rng.uniform(25.5, 26.5), rng.uniform(0.2, 1.2))
    lapel = rng.uniform(1.6, 2.8)
    shapes += [("line", [(14, 8), (14 + rng.normal(0, 0.3), 26)], 0.15, 0.6)]
    return shapes + [("line", [(14 + side * lapel, 2.5), (14, 9)], 0.4, 0.6) for side in (-1, 1)]


def _shirt(rng):
    if rng.random() < 0.3:
        shapes = _top(rng, rng.uniform(9, 13), rng.uniform(24, 26), rng.uniform(5.4, 6.6), 0.2)
    else:
        shapes = _long_top(rng, rng.uniform(24, 26))
    collar = [("fill", [(14, 5), (14 + side * 3, 1.6), (14 + side * 3.6, 4.2)], 0.75) for side in (-1, 1)]
    buttons = [("line", [(13.7, y), (14.5, y)], 0.3, 0.8) for y in np.arange(7, 24, rng.uniform(2.6, 3.6))]
    return shapes + collar + buttons


def _shoe(rng, top: float, heel: float, sole: float):
    """A shoe seen from its left, toe to the left: the height of its top, of its heel and of its sole."""
    toe, tongue = rng.uniform(18.2, 19.6), rng.uniform(13.5, 16)
    floor = 22.5
    points = spline(np.array([(2.2, 21), (3.2, toe), (8.5, toe - 1.6), (tongue, top + 0.8), (tongue + 1.5, top)]))
    back = [(25.2, top + rng.uniform(-0.5, 0.8)), (25.8, floor - heel), (25.6, floor), (2.4, floor)]
    return [("fill", [*points, *back], 1.0), ("line", [(2.4, floor), (25.5, floor)], sole, 1.4)]


def _sneaker(rng):
    shapes = _shoe(rng, rng.uniform(12, 14.5), 1.5, rng.choice([0.35, 1.0]))
    for x in np.arange(11, 11 + rng.integers(0, 4) * 1.9, 1.9):
        shapes.append(("line", [(x, 19.5), (x + 1.5, 16)], 0.45, 0.6))
    return shapes


def _sandal(rng):
    heel, floor = rng.uniform(0, 6), 22.5
    sole = spline(np.array([(2.3, floor), (9, floor - 0.5), (17, floor - 1 - heel * 0.6), (25.4, floor - 1 - heel)]))
    shapes = [
        ("line", sole, 1.0, rng.uniform(1.3, 2.4)),
        ("line", [(24.6, floor - 1 - heel), (24.8, floor + 0.3)], 1.0, 1.3),
    ]
    for start, end in ((4, 9.5), (9, 14), (19.5, 24.5))[: rng.integers(2, 4)]:
        high = floor - rng.uniform(4, 6.5) - heel * (start / 24)
        low = floor - 0.5 - heel * (start / 26)
        shapes.append(
            (
                "line",
                spline(np.array([(start, low), ((start + end) / 2, high), (end, low)])),
                0.95,
                rng.uniform(0.8, 1.6),
            )
        )
    if rng.random() < 0.6:
        shapes.append(
            (
                "line",
                [(24.5, floor - 1 - heel), (23.8, floor - 8 - heel * 0.6), (18, floor - 8 - heel * 0.5)],
                0.95,
                1.0,
            )
        )
    return shapes


def _bag(rng):
    wide, top, bottom = rng.uniform(8, 12), rng.uniform(9, 13), rng.uniform(22, 25.5)
    handle = rng.uniform(2, 6.5)
    arch = spline(
        np.array(
            [
                (14 - wide * 0.6, top),
                (14 - wide * 0.45, top - handle),
                (14 + wide * 0.45, top - handle),
                (14 + wide * 0.6, top),
            ]
        )
    )
    shapes = [
        ("line", arch, 0.9, rng.uniform(0.8, 1.8)),
        ("fill", _both_sides([(wide * rng.uniform(0.8, 1), top), (wide, bottom)]), 1.0),
    ]
    if rng.random() < 0.5:  # a flap
        shapes.append(("line", [(14 - wide, top + 4), (14, top + 6), (14 + wide, top + 4)], 0.5, 0.6))
    return shapes


def _ankle_boot(rng):
    shapes = _shoe(rng, rng.uniform(3.5, 7.5), rng.uniform(1.5, 4), 0.5)
    if rng.random() < 0.5:
        shapes.append(("line", [(20.5, 5), (20.5, 17)], 0.5, 0.6))
    return shapes


PATTERNS = (_tshirt, _trouser, _pullover, _dress, _coat, _sandal, _shirt, _sneaker, _bag, _ankle_boot)
