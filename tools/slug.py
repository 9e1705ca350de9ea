"""Move the course to another GitHub repository: python tools/slug.py owner/name

The address stands once in pyproject.toml (Repository). Badges, links and the set-up cell, which cannot read it there,
are rewritten to the new one.
"""

import argparse
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
WITH_LINKS = ["*.md", "*.toml", "*.cff", "*/*.md", "notebooks/*.ipynb", "notebooks/source/*.py"]


def slug() -> str:
    """The repository as ``owner/name``, from pyproject.toml."""
    return re.search(r'^Repository = "https://github.com/([^"]+)"$', (ROOT / "pyproject.toml").read_text(), re.M)[1]


def rename(old: str, new: str) -> list[Path]:
    """Replace ``old`` by ``new`` in every file that names it; returns those files."""
    changed = []
    for path in sorted(file for pattern in WITH_LINKS for file in ROOT.glob(pattern)):
        text = path.read_text()
        if old in text:
            path.write_text(text.replace(old, new))
            changed.append(path)
    return changed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slug", help="for instance my-university/vae-course")
    new = parser.parse_args().slug
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", new):
        parser.error(f"'{new}' is no owner/name")
    for path in rename(slug(), new):
        print(path.relative_to(ROOT))
