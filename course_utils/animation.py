"""Frames to a GIF that plays in JupyterLab, on GitHub and in Colab. Taught by use in lesson 05."""

from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from IPython.display import Image
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

LIMIT = 1_500_000  # bytes; a notebook with a larger one no longer renders on GitHub


def caption(frame: np.ndarray, text: str, height: int = 34) -> np.ndarray:
    """The frame with a line of text above it.

    Args:
        frame: uint8, shape ``(height, width)`` or ``(height, width, 3)``.

    Returns:
        uint8, the same width, ``height`` rows taller.
    """
    picture = Picture.fromarray(frame)
    page = Picture.new(picture.mode, (picture.width, picture.height + height), "white")
    page.paste(picture, (0, height))
    font = ImageFont.load_default(size=height * 0.55)
    ImageDraw.Draw(page).text((8, height * 0.16), text, fill="black", font=font)
    return np.asarray(page)


def gif(frames: Sequence[np.ndarray], milliseconds: int = 350, hold: int = 2500, colours: int = 32) -> bytes:
    """Frames as the bytes of a GIF that loops for ever.

    Args:
        frames: uint8 arrays of one shape, ``(height, width)`` or ``(height, width, 3)``.
        milliseconds: how long each frame stands; ``hold`` is the last one's time.
        colours: size of the palette that all frames share, 2 to 256. Fewer make a smaller file.

    Raises:
        ValueError: without frames, for frames of different shapes, or when the file would pass 1.5 MB.
    """
    if len(frames) == 0:
        raise ValueError("gif: no frames. Did the training run? Snapshots keeps its frames in `.frames`.")
    if len({np.shape(frame) for frame in frames}) > 1:
        raise ValueError(f"gif: frames of different shapes: {sorted({np.shape(frame) for frame in frames})}.")
    pictures = [Picture.fromarray(np.asarray(frame, np.uint8)).convert("RGB") for frame in frames]
    # One palette for the whole film, made from a sample of every frame, so that colours do not flicker.
    sample = np.concatenate([np.asarray(picture)[::2, ::2] for picture in pictures])
    palette = Picture.fromarray(sample).quantize(colours, method=Picture.Quantize.MEDIANCUT)
    pictures = [
        np.asarray(picture.quantize(palette=palette, dither=Picture.Dither.NONE).convert("RGB")) for picture in pictures
    ]
    durations = [milliseconds] * (len(pictures) - 1) + [hold]
    encoded = iio.imwrite("<bytes>", pictures, extension=".gif", duration=durations, loop=0)
    if len(encoded) > LIMIT:
        raise ValueError(
            f"gif: {len(encoded) / 1e6:.1f} MB, more than {LIMIT / 1e6} MB. Take fewer frames or fewer colours."
        )
    return encoded


def show(encoded: bytes, alt: str) -> Image:
    """A GIF as a cell's output.

    It is handed over as image/png: browsers look at the bytes and play it, while GitHub and nbconvert drop the type
    image/gif altogether.

    Args:
        alt: what there is to see, for those who cannot see it.
    """
    return Image(data=encoded, format="png", alt=alt)


def save(encoded: bytes, path: str | Path) -> Path:
    """Write a GIF, whole or not at all. Folders are made as needed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(encoded)
    part.replace(path)
    return path
