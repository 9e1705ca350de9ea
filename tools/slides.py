"""Build the decks of slides/ into build/slides/: one HTML file each, with everything inside, and with --pdf a PDF too.

    python tools/slides.py               every deck
    python tools/slides.py --pdf 02 05   these two, with PDFs (needs Chromium or Chrome)

A deck is Markdown for pandoc. Two things in it come from the executed notebooks, so that slides and lessons agree:
`![](<05: beginning of the text alternative>)` is the picture of the cell with that `alt`, and `[[05: words ([0-9.]+)]]`
is the number that this pattern finds in the cells' printed text. What is not found, or found twice, stops the build.
Where slides/figures/ has the figure with larger type (tools/hall.py), the deck shows that one.
`![](<05: ...>){part=0-50}` shows the left half of a picture only, for instance one of two panels, twice as large.
"""

import argparse
import base64
import io
import re
import shutil
import tempfile
from pathlib import Path

import nbformat
import pypandoc
import sphinx_revealjs
import ziamath
from PIL import Image
from playwright.sync_api import sync_playwright

if __package__:
    from tools import hall
else:
    import hall

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "slides"
DARK = """
addEventListener("keydown", event => { if (event.key === "d") document.documentElement.classList.toggle("dark"); });
if (new URLSearchParams(location.search).has("dark")) document.documentElement.classList.add("dark");
"""
# Page keys, which a lecturer's clicker sends, turn the slide even when a slider was moved last.
CLICKER = """<script>
document.addEventListener("keydown", event => {
  if (!/^Page(Up|Down)$/.test(event.key) || !event.target.closest(".vae-explorer")) return;
  event.preventDefault();
  event.target.blur();
}, true);
</script>
"""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def notebook(lesson: str):
    """The executed notebook of a lesson, "05" for instance."""
    (path,) = (ROOT / "notebooks").glob(f"{lesson}_*.ipynb")
    return nbformat.read(path, as_version=4)


def picture(lesson: str, beginning: str) -> tuple[bytes, str, str]:
    """Bytes, file suffix and text alternative of the one picture whose `alt` begins like this; larger where kept."""
    found = [
        (cell, data)
        for cell in notebook(lesson).cells
        for output in cell.get("outputs", [])
        for kind, data in output.get("data", {}).items()
        if kind in ("image/png", "image/jpeg") and cell.metadata.get("alt", "").startswith(beginning)
    ]
    if len(found) != 1:
        raise SystemExit(
            f"Lesson {lesson} has {len(found)} pictures whose alt text begins with '{beginning}', not one."
        )
    ((cell, data),) = found
    alt, content = cell.metadata["alt"], base64.b64decode(data)
    if (larger := hall.path_of(lesson, alt)).exists():
        content = larger.read_bytes()
        if Image.open(larger).text["Cell"] != hall.digest(cell.source):
            raise SystemExit(f"{larger.name} was drawn by an older cell. Execute lesson {lesson} anew: make notebooks")
    suffix = ".gif" if content[:3] == b"GIF" else ".jpg" if content[:2] == b"\xff\xd8" else ".png"
    return content, suffix, alt


def part(content: bytes, start: int, end: int) -> bytes:
    """A picture from `start` to `end` per cent of its width, as PNG."""
    whole, cut = Image.open(io.BytesIO(content)), io.BytesIO()
    whole.crop((whole.width * start // 100, 0, whole.width * end // 100, whole.height)).save(cut, "PNG")
    return cut.getvalue()


def number(lesson: str, pattern: str) -> str:
    """The one number that a pattern finds in what the notebook's cells print."""
    printed = "\n".join(
        output["text"]
        for cell in notebook(lesson).cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )
    found = re.findall(pattern, printed)
    if len(set(found)) != 1:
        raise SystemExit(f"Lesson {lesson} prints {len(found)} matches of '{pattern}', not one.")
    return found[0]


def filled(source: str, folder: Path) -> str:
    """A deck's Markdown with pictures written to `folder` and numbers put in."""

    def image(match):
        content, suffix, alt = picture(match[1], match[2])
        if match[3]:
            content, suffix, alt = part(content, int(match[3]), int(match[4])), ".png", f"Part of a figure. {alt}"
        path = folder / f"picture{len(list(folder.iterdir()))}{suffix}"
        path.write_bytes(content)
        return f"![{alt}]({path})"

    source = re.sub(r"\[\[([0-9A]\d): (.+?)\]\]", lambda match: number(match[1], match[2]), source)
    return re.sub(r"!\[\]\(<([0-9A]\d): (.+?)>\)(?:\{part=(\d+)-(\d+)\})?", image, source)


def with_explorers(page: str) -> str:
    """A built deck in which a block such as `::: {#plane .explorer}` is alive: its picture is left to the PDF."""
    names = re.findall(r'<div id="(\w+)" class="explorer">', page)
    if not names:
        return page
    if __package__:  # here, because it loads TensorFlow
        from tools import explorers
    else:
        import explorers
    for name in names:
        page = page.replace(f'<div id="{name}" class="explorer">', f'<div class="explorer"><div id="{name}"></div>')
    page, end, rest = page.rpartition("</body>")  # the last one: reveal.js has others in its texts
    return "".join([page, *map(explorers.script, names), CLICKER, end, rest])


def build(path: Path) -> Path:
    """One deck to one HTML file that needs no network, no font and nothing beside it."""
    reveal = Path(sphinx_revealjs.__file__).parent / "_static" / "revealjs"
    font_file = Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf"
    font = base64.b64encode(font_file.read_bytes()).decode()
    target = OUT / f"{path.stem}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        pictures = Path(scratch) / "pictures"
        pictures.mkdir()
        style = (ROOT / "slides" / "style.css").read_text()
        style += f'@font-face {{ font-family: "Course Math"; src: url("data:font/ttf;base64,{font}"); }}\n'
        header = Path(scratch) / "header.html"
        header.write_text(f"<style>\n{style}</style>\n<script>{DARK}</script>\n")
        options = {
            "width": 1280,
            "height": 720,
            "margin": 0.04,
            "theme": "white",
            "slideNumber": "true",
            "hash": "true",
        }
        options |= {
            "controls": "false",
            "progress": "true",
            "transition": "none",
            "center": "false",
            "revealjs-url": str(reveal),
        }
        pypandoc.convert_text(
            filled(path.read_text(encoding="utf-8"), pictures),
            "revealjs",
            format="markdown-implicit_figures",
            outputfile=str(target),
            extra_args=["--standalone", "--embed-resources", "--mathml", "--slide-level=2", "-H", str(header)]
            + [f"--variable={name}:{value}" for name, value in options.items()],
        )
    target.write_text(with_explorers(target.read_text(encoding="utf-8")), encoding="utf-8")
    return target


def browser() -> str:
    """The Chromium or Chrome of this machine."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise SystemExit(
        f"PDFs need one of these browsers on the PATH: {', '.join(BROWSERS)}. The HTML decks are in {OUT}."
    )


def print_to(page, deck: Path, target: Path) -> None:
    """Print a built deck from a page of a browser, one sheet a slide."""
    page.goto(f"{deck.as_uri()}?print-pdf")
    page.wait_for_function("document.querySelectorAll('.pdf-page').length > 0")
    page.pdf(path=str(target), width="1280px", height="720px", print_background=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("decks", nargs="*", metavar="NN", help="numbers of lessons (default: all)")
    parser.add_argument("--pdf", action="store_true", help="write PDFs too")
    options = parser.parse_args()
    sources = sorted((ROOT / "slides").glob("[0-9]*.md"))
    chosen = [path for path in sources if not options.decks or path.stem[:2] in options.decks]
    decks = [build(path) for path in chosen]
    for deck in decks:
        print(deck.relative_to(ROOT), f"{deck.stat().st_size / 1e6:.1f} MB")
    if options.pdf:
        with sync_playwright() as play:
            program = play.chromium.launch(executable_path=browser())
            for deck in decks:
                print_to(program.new_page(), deck, deck.with_suffix(".pdf"))
                print(deck.with_suffix(".pdf").relative_to(ROOT))
            program.close()


if __name__ == "__main__":
    main()
