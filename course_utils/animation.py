"""Frames to a GIF that plays in JupyterLab, on GitHub and in Colab. Taught by use in lesson 05.

What cannot become the film that was asked for raises a ValueError that says why.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from IPython.display import Image
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from course_utils.border import drawable

LIMIT = 1_500_000  # bytes; a notebook with a larger one no longer renders on GitHub
LONGEST = 655_350  # milliseconds of one frame: GIF counts hundredths of a second in two bytes
_SAME_MEMORY = (
    "gif: {} lie in the same memory, so each of them shows what was drawn there last. Keep copies while you draw: "
    "frames.append(frame.copy())."
)


def caption(frame: np.ndarray, text: str, height: int = 34) -> np.ndarray:
    """The frame with a line of text above it, in smaller type where the line would not fit.

    Args:
        frame: uint8 or floats in [0, 1], shape ``(height, width)`` or ``(height, width, 3)``.
        height: of the strip with the text, in pixels.

    Returns:
        uint8, the same width, ``height`` rows taller.
    """
    picture, text = Picture.fromarray(_frame(frame, "caption: frame")), str(text)
    height = drawable.whole(height, "caption: height", 8)
    if "\n" in text:
        raise ValueError(f"caption: {text!r} has several lines, and the strip has room for one.")
    size = height * 0.55
    size *= min(1, (picture.width - 8) / max(1, ImageFont.load_default(size).getlength(text)))
    if size < 4:
        raise ValueError(
            f"caption: {text!r} is too long for a frame of {picture.width} pixels. Shorten it, or enlarge the frame: "
            "frame.repeat(4, axis=0).repeat(4, axis=1)."
        )
    page = Picture.new(picture.mode, (picture.width, picture.height + height), "white")
    page.paste(picture, (0, height))
    font = ImageFont.load_default(size)
    ImageDraw.Draw(page).text((8, height * 0.16), text, fill="black", font=font)
    return np.asarray(page)


def gif(frames: Sequence[np.ndarray], milliseconds: int = 350, hold: int = 2500, colours: int = 32) -> bytes:
    """Frames as the bytes of a GIF that loops for ever.

    Args:
        frames: arrays of one shape, ``(height, width)`` or ``(height, width, 3)``; uint8 or floats in [0, 1].
        milliseconds: how long each frame stands; ``hold`` is the last one's time. Multiples of 10, as GIF counts.
        colours: size of the palette that all frames share, 2 to 256. Fewer make a smaller file.

    Raises:
        ValueError: without frames, for frames of different shapes or in one and the same memory, for a time or a number
            of colours that GIF does not have, or when the file would pass 1.5 MB.
    """
    if isinstance(frames, np.ndarray) and frames.ndim == 3 and frames.shape[2] in (3, 4):
        raise ValueError(
            f"gif: frames have the shape {frames.shape}, that of one colour frame. Hand in a list of them."
        )
    frames = list(frames)
    if not frames:
        raise ValueError("gif: no frames. Did the training run? Snapshots keeps its frames in `.frames`.")
    arrays = [_frame(frame, f"gif: frame {index}") for index, frame in enumerate(frames)]
    if len({array.shape for array in arrays}) > 1:
        raise ValueError(f"gif: frames of different shapes: {sorted({array.shape for array in arrays})}.")
    _refuse_one_memory(frames)
    milliseconds, hold = _time(milliseconds, "gif: milliseconds"), _time(hold, "gif: hold")
    colours = drawable.whole(colours, "gif: colours", 2, 256)
    pictures = [Picture.fromarray(array).convert("RGB") for array in arrays]
    # One palette for the whole film, made from a sample of every frame, so that colours do not flicker.
    sample = np.concatenate([np.asarray(picture)[::2, ::2] for picture in pictures])
    palette = Picture.fromarray(sample).quantize(colours, method=Picture.Quantize.MEDIANCUT)
    pictures = [
        np.asarray(picture.quantize(palette=palette, dither=Picture.Dither.NONE).convert("RGB")) for picture in pictures
    ]
    durations = [milliseconds] * (len(pictures) - 1) + [hold] if len(pictures) > 1 else hold
    try:
        encoded = iio.imwrite("<bytes>", pictures, extension=".gif", duration=durations, loop=0)
    except struct.error:
        raise ValueError(
            f"gif: frames that look the same are joined, and stand for more than {LONGEST:,} milliseconds together, "
            "the most that GIF can hold. Lower milliseconds or hold."
        ) from None
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
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError("show: alt is empty. Say in a sentence what the film shows, for those who cannot see it.")
    # As metadata, because Colab's IPython has no `alt` here. All versions write the same into the notebook.
    return Image(data=_film(encoded, "show"), format="png", metadata={"alt": alt})


def save(encoded: bytes, path: str | Path) -> Path:
    """Write a GIF, whole or not at all. Folders are made as needed."""
    encoded, path = _film(encoded, "save"), Path(path)
    if path.is_dir():
        raise ValueError(f"save: {path} is a folder. Name a file in it, for instance {path / 'film.gif'}.")
    blocking = next((parent for parent in path.parents if parent.exists() and not parent.is_dir()), None)
    if blocking:
        raise ValueError(f"save: {blocking} is a file, so {path} cannot lie in it. Name another folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(encoded)
    part.replace(path)
    return path


def _frame(frame, what: str) -> np.ndarray:
    """One frame as uint8, in grey or in three colours."""
    frame = drawable.to_bytes(drawable.pixels(frame, what))
    if frame.ndim == 3 and frame.shape[2] == 4:
        raise ValueError(f"{what} has four channels, and a film has no opacity. Leave it out: frame[..., :3].")
    if frame.ndim != 2 and (frame.ndim != 3 or frame.shape[2] != 3):
        raise ValueError(
            f"{what} has the shape {frame.shape}; (height, width) or (height, width, 3) is needed. frame[..., 0] "
            "leaves out the axis of a single channel, plots.mosaic makes one frame of several images."
        )
    return frame


def _refuse_one_memory(frames: list) -> None:
    """Raise for frames that were drawn one after the other into the same buffer: all of them show its last state.

    The same object several times over is a picture that stands, and right, unless it is all there is.
    """
    arrays = [np.asarray(frame) for frame in frames]
    places = [(array.__array_interface__["data"][0], array.shape, array.strides) for array in arrays]
    if len(frames) > 1 and len(set(places)) == 1:
        raise ValueError(_SAME_MEMORY.format(f"all {len(frames)} frames"))
    together = 1
    for index in range(1, len(frames)):
        in_place = places[index] == places[index - 1] and frames[index] is not frames[index - 1]
        together = together + 1 if in_place else 1
        if together > 2:  # two may be the turning point of a film that runs there and back
            raise ValueError(_SAME_MEMORY.format(f"frames {index - 2} to {index}"))


def _time(milliseconds, what: str) -> int:
    milliseconds = drawable.whole(milliseconds, what, 10, LONGEST)
    if milliseconds % 10:
        near = milliseconds // 10 * 10
        raise ValueError(f"{what} is {milliseconds}, and GIF counts in steps of 10. Take {near} or {near + 10}.")
    return milliseconds


def _film(encoded, what: str) -> bytes:
    if not isinstance(encoded, bytes) or not encoded.startswith(b"GIF8"):
        raise ValueError(f"{what}: the {type(encoded).__name__} is no film. Hand in what animation.gif returns.")
    return encoded
