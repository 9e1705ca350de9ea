"""What Colab's runtimes have preinstalled: one file a runtime in tools/colab. Write a new one when Colab changes:

    python tools/colab_runtimes.py 2026-09

This downloads pip-freeze.txt and os-info.txt of the public repository googlecolab/backend-info. `--commit` takes the
state of a past runtime, whose commits its README lists; `--files FOLDER` takes the two files from a folder instead.
"""

import argparse
import re
from pathlib import Path
from typing import NamedTuple

import requests
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tools" / "colab"
ADDRESS = "https://raw.githubusercontent.com/googlecolab/backend-info/{commit}/{name}"


class Runtime(NamedTuple):
    """A runtime of Colab: its month, the Python it has, and the packages that matter here with their versions."""

    name: str
    python: str
    packages: dict[str, str]


def read(path: Path) -> Runtime:
    """A runtime's file; raises ValueError where it is none."""
    text = path.read_text(encoding="utf-8")
    python = re.search(r"^# Colab's runtime of [\d-]+, with Python (3\.\d+)\.", text, re.M)
    if not python:
        raise ValueError(f"{path.name} names no Python. Write it afresh: python tools/colab_runtimes.py {path.stem}")
    return Runtime(path.stem, python[1], pinned(text))


def runtimes() -> dict[str, Runtime]:
    """All runtimes by name, the oldest first."""
    return {path.stem: read(path) for path in sorted(FOLDER.glob("*.txt"))}


def pinned(text: str) -> dict[str, str]:
    """Packages and versions of the lines ``name==version``; lines of another form are left out."""
    return {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)$", text, re.M)}


def needed() -> list[Requirement]:
    """What the course needs, from pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"^dependencies = \[$(.*?)^\]$", text, re.M | re.S)[1]
    return [Requirement(line) for line in re.findall(r'^ *"([^"]+)",', listed, re.M)]


def write(name: str, freeze: str, os_info: str) -> Path:
    """The file of a runtime, from Colab's own two: what the course needs, and what the newest file here has."""
    python = re.search(r"^Python (3\.\d+)", os_info, re.M)
    if not python:
        raise ValueError("os-info.txt has no line 'Python 3.x': has Colab changed what it publishes?")
    *_, newest = runtimes().values()
    matters = {canonicalize_name(requirement.name) for requirement in needed()} | set(newest.packages)
    found = {package: version for package, version in sorted(pinned(freeze).items()) if package in matters}
    if "tensorflow" not in found:
        raise ValueError("pip-freeze.txt has no line 'tensorflow==': is it the one of the CPU and GPU runtimes?")
    lines = [
        f"# Colab's runtime of {name}, with Python {python[1]}. Of its packages, those that matter to the course.",
        f"# Written by tools/colab_runtimes.py {name} from googlecolab/backend-info; change nothing by hand.",
        *(f"{package}=={version}" for package, version in found.items()),
    ]
    path = FOLDER / f"{name}.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def fetch(name: str, commit: str) -> str:
    """A file of the public repository."""
    answer = requests.get(ADDRESS.format(commit=commit, name=name), timeout=60)
    answer.raise_for_status()
    return answer.text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="year and month, for instance 2026-09")
    parser.add_argument("--commit", default="main", help="default: main, the newest runtime")
    parser.add_argument("--files", type=Path, metavar="FOLDER", help="with pip-freeze.txt and os-info.txt in it")
    options = parser.parse_args()
    if not re.fullmatch(r"20\d\d-[01]\d", options.name):
        parser.error(f"'{options.name}' is no year and month")
    names = ("pip-freeze.txt", "os-info.txt")
    if options.files:
        texts = [(options.files / name).read_text(encoding="utf-8") for name in names]
    else:
        texts = [fetch(name, options.commit) for name in names]
    print(write(options.name, *texts).relative_to(ROOT))
