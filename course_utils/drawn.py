"""Images drawn in code, for whoever has neither a network nor the data: garments and digits, 28x28, ten classes each.

They follow Fashion-MNIST and MNIST in shape, type, class order and the room they fill, and they vary enough to be worth
learning. They are not those sets: every figure made from them says so (``plots.label_source``).
"""

import numpy as np
from PIL import Image, ImageDraw

# fmt: off
GARMENTS = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DIGITS = tuple("0123456789")
SIDE, FINE = 28, 4  # pixels of an image, and how much finer it is drawn before it is averaged down

# Digits as strokes in the unit square, x to the right and y down. A stroke is a smooth curve through its points.
STROKES = {
    0: [[(0.5, 0), (0.1, 0.3), (0.12, 0.72), (0.5, 1), (0.88, 0.7), (0.9, 0.3), (0.55, 0), (0.4, 0.04)]],
    1: [[(0.3, 0.2), (0.52, 0)], [(0.52, 0), (0.5, 0.5), (0.48, 1)]],
    2: [[(0.1, 0.25), (0.35, 0.02), (0.75, 0.08), (0.82, 0.34), (0.5, 0.68), (0.08, 0.97)],
        [(0.08, 0.97), (0.95, 0.94)]],
    3: [[(0.1, 0.12), (0.5, 0), (0.84, 0.22), (0.42, 0.46)], [(0.42, 0.46), (0.9, 0.68), (0.55, 1), (0.08, 0.87)]],
    4: [[(0.32, 0), (0.18, 0.35), (0.06, 0.62)], [(0.06, 0.62), (0.95, 0.58)], [(0.74, 0.15), (0.68, 1)]],
    5: [[(0.9, 0.02), (0.26, 0.04)], [(0.26, 0.04), (0.18, 0.44)],
        [(0.18, 0.44), (0.62, 0.38), (0.9, 0.68), (0.55, 1), (0.08, 0.9)]],
    6: [[(0.78, 0), (0.32, 0.3), (0.12, 0.7), (0.42, 1), (0.82, 0.8), (0.62, 0.52), (0.16, 0.68)]],
    7: [[(0.05, 0.06), (0.5, 0.02), (0.92, 0.05)], [(0.92, 0.05), (0.62, 0.48), (0.42, 1)]],
    8: [[(0.52, 0.46), (0.16, 0.24), (0.5, 0), (0.84, 0.22), (0.5, 0.47), (0.1, 0.76), (0.5, 1), (0.9, 0.76),
         (0.52, 0.46)]],
    9: [[(0.85, 0.26), (0.5, 0), (0.14, 0.26), (0.42, 0.52), (0.85, 0.28), (0.8, 0.65), (0.62, 1)]],
}
# fmt: on


def garments(number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Garments of random classes.

    Returns:
        Images, uint8 ``(number, 28, 28, 1)`` with background 0; labels, uint8 ``(number,)``, as in ``GARMENTS``.

    Raises:
        ValueError: for less than one image.
    """
    labels = _labels(number, rng)
    shapes = np.stack([_garment(label, rng) for label in labels])
    # Cloth: one brightness a garment, light from one side, now and then stripes or a print, and a little noise.
    across = np.linspace(-1, 1, SIDE)
    shade = (
        1
        + rng.uniform(-0.18, 0.18, (number, 1, 1)) * across
        + rng.uniform(-0.15, 0.15, (number, 1, 1)) * across[:, None]
    )
    phase, period = rng.uniform(0, 6, (number, 1, 1)), rng.uniform(3, 7, (number, 1, 1))
    wave = np.sin(2 * np.pi * np.arange(SIDE) / period + phase)
    upright = rng.random((number, 1, 1)) < 0.5
    wave = np.where(upright, wave, wave.transpose(0, 2, 1))
    striped = (rng.random((number, 1, 1)) < 0.2) * rng.uniform(0.1, 0.35, (number, 1, 1))
    brightness = np.where(
        rng.random((number, 1, 1)) < 0.85, rng.uniform(165, 250, (number, 1, 1)), rng.uniform(60, 150, (number, 1, 1))
    )
    noise = 1 + 0.06 * rng.standard_normal((number, SIDE, SIDE))
    pixels = shapes * brightness * shade * (1 - striped * (1 + wave) / 2) * noise
    return np.clip(pixels, 0, 255).astype(np.uint8)[..., None], labels


def digits(number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Handwritten-looking digits of random classes, in a box of 20x20 pixels around the centre.

    Returns:
        Images, uint8 ``(number, 28, 28, 1)`` with background 0; labels, uint8 ``(number,)``.

    Raises:
        ValueError: for less than one image.
    """
    labels = _labels(number, rng)
    return np.stack([_digit(int(label), rng) for label in labels])[..., None], labels


def _labels(number: int, rng: np.random.Generator) -> np.ndarray:
    if number < 1:
        raise ValueError(f"{number} images were asked for; ask for one at least.")
    return rng.integers(0, 10, number, dtype=np.uint8)


def _curve(points: np.ndarray, steps: int = 8) -> np.ndarray:
    """A Catmull-Rom spline through the points: shape ``(segments * steps + 1, 2)``."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    before, start, end, after = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = (np.arange(steps) / steps)[None, :, None]
    inner = 2 * start + (end - before) * t + (2 * before - 5 * start + 4 * end - after) * t**2
    inner = (inner + (3 * start - before - 3 * end + after) * t**3) / 2
    return np.concatenate([inner.reshape(-1, 2), points[-1:]])


def _digit(label: int, rng: np.random.Generator) -> np.ndarray:
    wobble = rng.normal(0, 0.035, (9, 2))  # the same for the same place in each stroke, so that strokes still meet
    curves = []
    for stroke in STROKES[label]:
        points = np.array(stroke)
        curves.append(_curve(points + wobble[np.rint(points.sum(axis=1) * 4).astype(int) % 9]))
    slant, narrow = rng.normal(0.08, 0.16), rng.uniform(0.6, 0.95)
    if label == 1:
        narrow = rng.uniform(0.15, 0.6)
    matrix = np.array([[narrow, -slant], [rng.normal(0, 0.06), 1]])
    curves = [curve @ matrix.T for curve in curves]
    everything = np.concatenate(curves)
    width = rng.uniform(1.5, 3.2)
    scale = (20 - width) / np.ptp(everything, axis=0).max()
    offset = 14 - scale * (everything.min(axis=0) + everything.max(axis=0)) / 2
    page = Image.new("L", (SIDE * FINE, SIDE * FINE))
    draw = ImageDraw.Draw(page)
    radius = width * FINE / 2
    for curve in curves:
        fine = [tuple(point) for point in (curve * scale + offset) * FINE]
        draw.line(fine, fill=255, width=round(2 * radius), joint="curve")
        for x, y in (fine[0], fine[-1]):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    image = np.asarray(page.resize((SIDE, SIDE), Image.Resampling.HAMMING), float)
    weight = image.sum()
    centre = [image.sum(axis=1 - axis) @ np.arange(SIDE) / weight for axis in (0, 1)]
    # As in MNIST, the centre of the ink lies in the middle; the box is 4 pixels from every edge, so nothing wraps.
    return np.roll(image, np.rint(13.5 - np.array(centre)).clip(-4, 4).astype(int), (0, 1)).astype(np.uint8)


def _garment(label: int, rng: np.random.Generator) -> np.ndarray:
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
    points = _curve(np.array([(2.2, 21), (3.2, toe), (8.5, toe - 1.6), (tongue, top + 0.8), (tongue + 1.5, top)]))
    back = [(25.2, top + rng.uniform(-0.5, 0.8)), (25.8, floor - heel), (25.6, floor), (2.4, floor)]
    return [("fill", [*points, *back], 1.0), ("line", [(2.4, floor), (25.5, floor)], sole, 1.4)]


def _sneaker(rng):
    shapes = _shoe(rng, rng.uniform(12, 14.5), 1.5, rng.choice([0.35, 1.0]))
    for x in np.arange(11, 11 + rng.integers(0, 4) * 1.9, 1.9):
        shapes.append(("line", [(x, 19.5), (x + 1.5, 16)], 0.45, 0.6))
    return shapes


def _sandal(rng):
    heel, floor = rng.uniform(0, 6), 22.5
    sole = _curve(np.array([(2.3, floor), (9, floor - 0.5), (17, floor - 1 - heel * 0.6), (25.4, floor - 1 - heel)]))
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
                _curve(np.array([(start, low), ((start + end) / 2, high), (end, low)])),
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
    arch = _curve(
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
