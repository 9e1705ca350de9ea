"""One handwritten-looking digit: strokes, bent and slanted at random, drawn large and averaged down."""

import numpy as np
from PIL import Image, ImageDraw

SIDE, FINE = 28, 4  # pixels of an image, and how much finer it is drawn before it is averaged down

# fmt: off
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


def spline(points: np.ndarray, steps: int = 8) -> np.ndarray:
    """A Catmull-Rom spline through the points: shape ``(segments * steps + 1, 2)``."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    before, start, end, after = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = (np.arange(steps) / steps)[None, :, None]
    inner = 2 * start + (end - before) * t + (2 * before - 5 * start + 4 * end - after) * t**2
    inner = (inner + (3 * start - before - 3 * end + after) * t**3) / 2
    return np.concatenate([inner.reshape(-1, 2), points[-1:]])


def digit(label: int, rng: np.random.Generator) -> np.ndarray:
    wobble = rng.normal(0, 0.035, (9, 2))  # the same for the same place in each stroke, so that strokes still meet
    curves = []
    for stroke in STROKES[label]:
        points = np.array(stroke)
        curves.append(spline(points + wobble[np.rint(points.sum(axis=1) * 4).astype(int) % 9]))
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
