"""Write a folder of drawings as people have pictures: JPEG, WebP, GIF, PNG and TIFF, of many sizes and shapes.

Some are grey, some turned; their labels are in a table as a spreadsheet saves it. README shows what becomes of them.

Run: .venv/bin/python tools/drawings.py FOLDER [NUMBER]
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from course_utils import drawn

SEED, NUMBER = 20_260_114, 800
PAPERS = {"blue": (170, 205, 240), "green": (185, 225, 180), "red": (245, 190, 180), "yellow": (250, 230, 160)}
TURNED = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def drawing(rng: np.random.Generator, paper: tuple[int, int, int]) -> tuple[Image.Image, dict]:
    """An avatar on coloured paper, somewhat wider or higher than it, at some size; and its factors."""
    pixels, factors = drawn.avatars(1, rng)
    avatar = Image.fromarray(pixels[0])
    for corner in ((0, 0), (255, 0)):
        ImageDraw.floodfill(avatar, corner, paper, thresh=30)
    side = int(rng.integers(120, 640))
    extra = int(side * rng.uniform(0, 0.8))
    page = Image.new("RGB", (side + extra, side) if rng.random() < 0.5 else (side, side + extra), paper)
    avatar = avatar.resize((side, side), Image.Resampling.BICUBIC)
    page.paste(avatar, ((page.width - side) // 2, (page.height - side) // 2))
    return page, {name: drawn.AVATAR_FACTORS[name][int(value[0])] for name, value in factors.items()}


def save(page: Image.Image, path: Path, rng: np.random.Generator) -> Path:
    """Write it in one of the ways that cameras, telephones and programs have. Returns the name of the file."""
    kind = rng.choice(["jpg", "turned", "webp", "gif", "png", "grey", "tif"], p=[0.3, 0.2, 0.2, 0.08, 0.12, 0.05, 0.05])
    path = path.with_suffix({"turned": ".jpeg", "grey": ".png"}.get(kind, f".{kind}"))
    if kind == "turned":
        orientation = int(rng.choice(list(TURNED)))
        exif = Image.Exif()
        exif[274] = orientation
        page.transpose(TURNED[orientation]).save(path, quality=90, exif=exif)
    elif kind == "grey":
        page.convert("L").save(path)
    elif kind == "tif":
        page.convert("CMYK").save(path, compression="tiff_lzw")
    else:
        page.save(path, **({"quality": 90} if kind in ("jpg", "webp") else {}))
    return path


def main() -> None:
    root, number = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else NUMBER
    names, lines = list(PAPERS), []
    for index in range(number):
        rng = np.random.default_rng([SEED, index])
        colour = names[index % len(names)]
        (root / colour).mkdir(parents=True, exist_ok=True)
        page, factors = drawing(rng, PAPERS[colour])
        path = save(page, root / colour / f"drawing {index}", rng)
        lines.append([f"{colour}/{path.name}", factors["hair"], factors["glasses"]])
    table = "\r\n".join(";".join(line) for line in [["file", "hair", "glasses"], *lines])
    (root / "labels.csv").write_text(table, encoding="utf-8-sig")
    print(f"{number} drawings are in {root}")


if __name__ == "__main__":
    main()
