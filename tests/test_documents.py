"""Pages: links lead somewhere, headings are in order, pictures are described, and GitHub shows all of it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "teaching/README.md", "slides/README.md", "benchmarks/README.md"]
DOCUMENTS += [
    "CHANGELOG.md",
    "benchmarks/reference.md",
    "CODE_OF_CONDUCT.md",
    "site/index.md",
    "site/glossary.md",
    "site/use.md",
]
documents = pytest.mark.parametrize("name", DOCUMENTS)


def prose(name):
    """A page without its code."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)


def test_no_page_was_forgotten():
    found = [path for folder in (".", "*") for path in ROOT.glob(f"{folder}/*.md")]
    pages = {path.relative_to(ROOT).as_posix() for path in found if not re.match(r"[0-9A]\d_", path.name)}
    assert {page for page in pages if not page.startswith(("build/", "."))} == set(DOCUMENTS)


@documents
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)]+)\)", prose(name)):
        if not target.startswith("https://"):
            path, _, anchor = target.partition("#")
            assert ((ROOT / name).parent / path).exists(), target
            assert not anchor, f"{target}: anchors are not checked here, link to the page"


@documents
def test_headings_are_in_order(name):
    levels = [len(marks) for marks in re.findall(r"^(#+) ", prose(name), flags=re.M)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


@documents
def test_pictures_are_described_and_nothing_is_html(name):
    assert all(len(alt) > 20 for alt in re.findall(r"!\[(.*?)\]\(", prose(name)))
    assert not re.search(r"<[a-zA-Z/][^>]*>", prose(name)), "GitHub strips some HTML: use Markdown"


@documents
def test_tables_have_as_many_cells_in_every_row(name):
    for table in re.findall(r"(?:^\|.*\n)+", (ROOT / name).read_text(encoding="utf-8"), flags=re.M):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table


def test_the_commands_that_pages_name_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    for name in DOCUMENTS:
        text = (ROOT / name).read_text(encoding="utf-8")
        for command in re.findall(r"(?:^|`)make ([a-z]+)", text, flags=re.M):
            assert command in targets or command == "notebooks", command
        for script in re.findall(r"python ((?:tools|benchmarks)/\w+\.py)", text):
            assert (ROOT / script).exists(), script


def test_the_map_shows_the_lessons_that_there_are():
    for name in ("README.md", "teaching/README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for notebook in (ROOT / "notebooks").glob("[0-9A]*.ipynb"):
            assert f"notebooks/{notebook.name})" in text


def test_the_three_ways_to_install_lead_to_the_same_environment():
    extras = {
        frozenset(re.search(r"\.\[([a-z,]+)\]", (ROOT / name).read_text())[1].split(","))
        for name in ("tools/environment.py", "environment.yml", "README.md")
    }
    assert len(extras) == 1
    for name in ("tools/environment.py", "environment.yml", "README.md"):
        assert re.search(r'-c"?,? "?constraints.txt', (ROOT / name).read_text()), name
    declared = re.search(r"\[project.optional-dependencies\](.*?)\n\[", (ROOT / "pyproject.toml").read_text(), re.S)[1]
    assert extras == {frozenset(re.findall(r"^(\w+) = \[", declared, flags=re.M))}


def test_the_licence_and_the_citation_are_there():
    citation = (ROOT / "CITATION.cff").read_text()
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), flags=re.M)[1]
    assert f"version: {version}" in citation and f"Version {version}" in (ROOT / "README.md").read_text()
    assert "Cartoon Set is by Google LLC under CC BY 4.0" in (ROOT / "README.md").read_text()


def test_every_published_system_has_a_place_in_a_lesson_or_an_appendix():
    rows = re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.M)
    places = {int(number): re.findall(r"\b(?:0|A)\d\b", place) for number, place in rows if re.search(r"[0A]\d", place)}
    assert sorted(places) == list(range(1, 20))
    there = {path.stem[:2] for path in (ROOT / "notebooks").glob("[0-9A]*.ipynb")}
    assert all(found and set(found) <= there for found in places.values()), places
