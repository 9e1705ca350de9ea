"""Build the site into build/site/: the executed notebooks, the guide, the decks and the pages of site/.

    python tools/site.py

Sphinx reads a copy of the pages (build/site-source/), in which lessons have buttons in place of the badge, folded
solutions, and their pictures' text alternatives where MyST-NB looks for them. Warnings are errors: a link that leads
nowhere stops the build. Nothing in the pages is loaded from another address, so the folder can be served as it is.
"""

import re
import shutil
from pathlib import Path

import nbformat
import ziamath
from sphinx.cmd.build import build_main

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "site"
PAGES = (
    "*.md",
    "LICENSE",
    "CITATION.cff",
    "teaching/*.md",
    "slides/README.md",
    "benchmarks/*.md",
    "benchmarks/*.jsonl",
)
BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]+\)\]\(([^)]+)\)")


def moved(text: str) -> str:
    """Links to the pages of site/, which are at the top here."""
    return re.sub(r"\]\((\.\./)?site/", r"](\1", text)


def lesson(path: Path) -> nbformat.NotebookNode:
    """A notebook as the site shows it."""
    notebook = nbformat.read(path, as_version=4)
    buttons = [
        r'<a class="button" href="\1">Open in Colab</a>',
        f'<a class="button" href="{path.name}" download>Download</a>',
    ]
    if (ROOT / "slides" / f"{path.stem}.md").exists():
        buttons.append(f'<a class="button" href="../slides/{path.stem}.html">Slides</a>')
    notebook.cells[0].source = BADGE.sub(" ".join(buttons), notebook.cells[0].source)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = moved(cell.source)
        else:
            tags = cell.metadata.get("tags", [])
            if "solution" in tags:
                cell.metadata.tags = [*tags, "hide-input"]
            for output in cell.outputs:
                alt = output.get("metadata", {}).get("image/png", {}).get("alt") or cell.metadata.get("alt")
                if alt:
                    cell.metadata.setdefault("mystnb", {"image": {"alt": alt}})
    return notebook


def gather(source: Path, decks: Path) -> None:
    """Put together what Sphinx reads: the pages of the course where they are, those of site/ at the top."""
    shutil.rmtree(source, ignore_errors=True)
    for pattern in PAGES:
        for path in ROOT.glob(pattern):
            (source / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            (source / path.relative_to(ROOT)).write_text(moved(path.read_text(encoding="utf-8")), encoding="utf-8")
    for path in (ROOT / "site").glob("*.md"):
        text = path.read_text(encoding="utf-8").replace("](../", "](")
        (source / path.name).write_text(text, encoding="utf-8")
    for folder in ("figures", "notebooks/figures"):
        shutil.copytree(ROOT / folder, source / folder)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        nbformat.write(lesson(path), source / "notebooks" / path.name)
        (source / "extra" / "notebooks").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, source / "extra" / "notebooks")
    shutil.copytree(decks, source / "extra" / "slides", ignore=lambda _, names: {n for n in names if n[-5:] != ".html"})
    page = source / "slides" / "README.md"  # there the decks are what the table links to, not their sources
    text = page.read_text(encoding="utf-8")
    page.write_text(re.sub(r"\[(\d\d)\]\((\d\d_\w+)\.md\)", r'<a href="\2.html">\1</a>', text), encoding="utf-8")
    shutil.copy(ROOT / "site" / "conf.py", source)
    (source / "static").mkdir()
    for name in ("site.css", "icon.svg"):
        shutil.copy(ROOT / "site" / name, source / "static")
    shutil.copy(Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf", source / "static")


def build(decks: Path, out: Path = OUT) -> Path:
    """Build the site with the decks of a folder; returns its first page. Raises SystemExit where Sphinx warns."""
    source = out.with_name(f"{out.name}-source")
    gather(source, decks)
    shutil.rmtree(out, ignore_errors=True)
    if build_main(["-W", "--keep-going", "-q", "-d", str(source / "doctrees"), str(source), str(out)]):
        raise SystemExit("The site was not built: each warning above is to be mended.")
    first = out / "index.html"
    first.write_text(with_explorer(first.read_text(encoding="utf-8")), encoding="utf-8")
    return first


def with_explorer(page: str) -> str:
    """The first page with the plane in it, which stands for nothing that Sphinx could search or link."""
    if __package__:
        from tools import explorers
    else:
        import explorers
    before, end, after = page.rpartition("</body>")
    return before + explorers.script("plane") + end + after


def current_decks() -> Path:
    """The folder of the decks, each built anew if a page or a notebook that it is made from is younger."""
    if __package__:
        from tools import slides
    else:
        import slides
    youngest = max(path.stat().st_mtime for path in (ROOT / "notebooks").glob("*.ipynb"))
    for path in sorted((ROOT / "slides").glob("[0-9]*.md")):
        deck = slides.OUT / f"{path.stem}.html"
        if not deck.exists() or deck.stat().st_mtime < max(youngest, path.stat().st_mtime):
            print(f"building {slides.build(path).relative_to(ROOT)} ...", flush=True)
    return slides.OUT


if __name__ == "__main__":
    print(f"Open {build(current_decks()).relative_to(ROOT)} in a browser.")
