"""Soft-edged masks of flat shapes, drawn large and averaged down: what an avatar is pasted together from.

A shape is an array of corners ``(n, 2)``, which is filled, or a pair (points, width), which is a stroke with round
ends. Coordinates are pixels: x from the middle line of the image to the right, y from the top edge down. Points may be
written as text, ``"0 54, 58 122!"``, where the mark makes a corner of an outline that is smooth elsewhere.
"""

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from course_utils.drawn.digit_strokes import spline

SIDE, FINE = 256, 4  # pixels of an image, and how much finer its masks are drawn before they are averaged down

Layer = tuple[str, tuple[int, int], Image.Image]  # the name of its tone, its top left corner, its mask


def layer(tone: str, *shapes, grow: float = 0, strength: float = 1, erase=(), clip=()) -> Layer:
    """The union of the shapes, ``grow`` pixels fatter, without those in ``erase`` and inside those in ``clip``."""
    corners = np.concatenate([shape[0] if isinstance(shape, tuple) else shape for shape in shapes])
    margin = grow + max((shape[1] for shape in shapes if isinstance(shape, tuple)), default=0) + 1
    left, top = np.clip(np.floor(corners.min(axis=0) + [SIDE / 2, 0] - margin), 0, SIDE - 1).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0) + [SIDE / 2, 0] + margin), 1, SIDE).astype(int)

    def page(shapes, grow=0.0):
        mask = Image.new("L", ((right - left) * FINE, (bottom - top) * FINE))
        draw = ImageDraw.Draw(mask)
        for shape in shapes:
            points, width = shape if isinstance(shape, tuple) else (shape, 0)
            points = ((np.asarray(points, float) + [SIDE / 2, 0] - [left, top]) * FINE).round()
            if not width:
                draw.polygon(points.ravel().tolist(), fill=255)
                points = np.concatenate([points, points[:2]])
            if width or grow:
                radius = (width / 2 + grow) * FINE
                draw.line(points.ravel().tolist(), fill=255, width=round(2 * radius), joint="curve")
                for x, y in (points[0], points[-1]):
                    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        return mask

    mask = page(shapes, grow)
    if clip:
        mask = ImageChops.multiply(mask, page(clip))
    if erase:
        mask = ImageChops.subtract(mask, page(erase))
    mask = mask.reduce(FINE)
    return tone, (int(left), int(top)), mask if strength == 1 else mask.point(lambda grey: round(grey * strength))


def outlined(tone: str, *shapes, erase=(), clip=()) -> list[Layer]:
    """The union of the shapes, and under it a line, whose tone has the same name with ``line`` behind it."""
    return [
        layer(f"{tone} line", *shapes, grow=1.5, erase=erase, clip=clip),
        layer(tone, *shapes, erase=erase, clip=clip),
    ]


def trace(points) -> np.ndarray:
    """Points ``(n, 2)``, from text or from anything NumPy takes. A corner becomes two equal points."""
    if not isinstance(points, str):
        return np.asarray(points, float)
    pairs = [pair.split() for pair in points.replace("!", " !").split(",")]
    return np.array([(float(x), float(y)) for x, y, *mark in pairs for _ in range(1 + len(mark))])


def closed(points) -> np.ndarray:
    """A smooth outline through the points."""
    points = trace(points)
    around = spline(np.concatenate([points[-2:], points, points[:2]]))[16:-9].reshape(len(points), 8, 2)
    # Between the two points of a corner the spline makes a loop, which is left out.
    return np.concatenate(around[np.any(points != np.roll(points, -1, axis=0), axis=1)])


def curve(points) -> np.ndarray:
    """A smooth open line through the points."""
    return spline(trace(points))


def mirror(points) -> np.ndarray:
    """The same on the other side of the middle line."""
    return trace(points) * [-1, 1]


def symmetric(half) -> np.ndarray:
    """Points on both sides of the middle line from those on the right. One on the line itself is not doubled."""
    half = trace(half)
    return np.concatenate([half, mirror(half[half[:, 0] != 0])[::-1]])


def both(half) -> np.ndarray:
    """A smooth symmetric outline from its right half."""
    return closed(symmetric(half))


def oval(x: float, y: float, width: float, height: float | None = None, start=0.0, end=360.0, number=48) -> np.ndarray:
    """Points on an ellipse by its half axes, clockwise from ``start`` to ``end`` degrees; 0 is at its top."""
    angle = np.radians(np.linspace(start, end, number))
    return np.stack([x + width * np.sin(angle), y - (height or width) * np.cos(angle)], axis=1)
