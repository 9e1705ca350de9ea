"""notebooks: built from their sources, executed, compact, described, and without a trace of a machine."""

import base64
import html
import json
import re
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbconvert import HTMLExporter

from tools import front, prose

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "notebooks" / "source").glob("[0-9A]*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
lessons = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def pictures(path):
    """(cell, output, decoded bytes) of every image output."""
    for cell in code_cells(path):
        for output in cell.outputs:
            for kind, content in output.get("data", {}).items():
                if kind.startswith("image/") and kind != "image/svg+xml":
                    yield cell, output, base64.b64decode(content)


def setup_cell(path):
    (cell,) = [cell for cell in code_cells(path) if "setup" in cell.metadata.get("tags", [])]
    return cell.source


def test_every_source_has_its_notebook_and_no_notebook_is_without_source():
    assert [path.stem for path in SOURCES] == [path.stem for path in NOTEBOOKS]


@lessons
def test_a_notebook_equals_its_source(path):
    built, source = nbformat.read(path, as_version=4), jupytext.read(ROOT / "notebooks" / "source" / f"{path.stem}.py")
    assert len(built.cells) == len(source.cells)
    for one, other in zip(built.cells, source.cells, strict=True):
        assert (one.cell_type, one.source) == (other.cell_type, other.source)
        for key in ("tags", "alt", "jupyter", "cellView"):
            assert one.metadata.get(key) == other.metadata.get(key)


@lessons
def test_a_notebook_was_executed_from_top_to_bottom_without_errors(path):
    cells = [cell for cell in code_cells(path) if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    assert "budget: laptop" in cells[0].outputs[0].text


@lessons
def test_outputs_come_from_real_data_and_carry_no_trace_of_a_machine(path):
    text = path.read_text()
    assert "DRAWN IN CODE" not in re.sub(r'"source": \[.*?\]', "", text, flags=re.S)
    for cell in code_cells(path):
        shown = json.dumps(cell.outputs)
        assert not re.search(r"/(home|root|work|tmp|Users|usr)/", shown), cell.source[:80]
        progress = [output for output in cell.outputs if output.get("name") == "stderr"]
        assert not progress, f"build it again, now that its data are prepared: {cell.source[:80]}"
        assert "execution" not in cell.metadata
        assert len("".join(output.get("text", "") for output in cell.outputs)) < 4000, cell.source[:80]


@lessons
def test_pictures_are_compact_and_described(path):
    assert path.stat().st_size < 4_000_000
    for cell, output, content in pictures(path):
        described = cell.metadata.get("alt") or output.metadata.get("image/png", {}).get("alt")
        assert described, f"no alt text: {cell.source[:80]}"
        assert len(content) < 1_500_000


@lessons
def test_the_pages_of_make_run_carry_the_descriptions(path):
    exporter = HTMLExporter(extra_template_basedirs=[str(ROOT / "tools" / "templates")], template_name="course")
    page, _ = exporter.from_filename(str(path))
    assert "No description has been provided" not in page
    shown = {html.unescape(text) for text in re.findall(r'<img alt="([^"]*)"', page)}
    for cell, output, _ in pictures(path):
        assert (output.metadata.get("image/png", {}).get("alt") or cell.metadata.get("alt")) in shown


@lessons
def test_the_set_up_cell_is_the_same_in_every_lesson(path):
    number = path.stem[:2]
    assert setup_cell(path).replace(f'start("{number}")', 'start("..")') == setup_cell(NOTEBOOKS[0]).replace(
        'start("00")', 'start("..")'
    )


@lessons
def test_the_set_up_cell_is_the_first_code_and_folded_in_jupyterlab_colab_and_on_a_site(path):
    metadata = code_cells(path)[0].metadata
    assert metadata["jupyter"] == {"source_hidden": True}
    assert metadata["cellView"] == "form" and setup_cell(path).startswith("# @title Set up (run this cell first)\n")
    assert metadata["tags"] == ["setup", "hide-input"]


@lessons
def test_the_parts_of_a_lesson_are_there(path):
    notebook = nbformat.read(path, as_version=4)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for part in ("# " + path.stem[:2], "**You will do**", "**You will learn**", "**You need**", "**Time:**"):
        assert part in prose, part
    assert "## In this notebook we saw" in prose
    assert f"blob/main/notebooks/{path.name}" in prose, "the Colab badge names another notebook"
    claims = [cell for cell in code_cells(path) if "claim" in cell.metadata.get("tags", [])]
    assert claims and all(re.search(r"\bassert|assert_allclose|assert_array", cell.source) for cell in claims)
    headings = [len(marks) for marks in re.findall(r"^(#+) ", re.sub(r"```.*?```", "", prose, flags=re.S), flags=re.M)]
    assert headings[0] == 1 and headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(headings, headings[1:], strict=False))


@lessons
def test_a_core_can_be_studied_in_one_sitting(path):
    """Without solutions and the list of sources; formulas and link addresses are no words."""
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])]
    assert sum(cell.cell_type == "code" for cell in cells) <= 45
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown").split("\n## Sources")[0]
    text = re.sub(r"```.*?```|\$\$.*?\$\$|\$[^$]*\$|(?<=\])\([^)]*\)", " ", text, flags=re.S)
    assert len([word for word in text.split() if re.search(r"[^\W\d_]", word)]) <= 2500


@lessons
def test_links_to_files_of_the_course_lead_somewhere(path):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\((?!https?:)([^)#]+)", cell.source):
                assert (path.parent / target).exists(), target


def test_the_pictures_on_the_front_pages_are_those_of_the_notebooks():
    made = {name: content for path in NOTEBOOKS for name, content in front.front_pictures(path).items()}
    kept = {path.name: path.read_bytes() for path in (ROOT / "notebooks" / "figures").iterdir()}
    assert made == kept
    shown = (ROOT / "README.md").read_text() + "".join(path.read_text() for path in SOURCES)
    assert all(f"figures/{name})" in shown for name in kept), "a picture that no page shows"


@lessons
def test_a_lesson_begins_with_a_picture_of_where_it_ends(path):
    first = nbformat.read(path, as_version=4).cells[0].source
    assert re.search(r"!\[[^\]]{20,}\]\(figures/", first)
    assert path.stem[:2] == "00" or f"figures/{path.stem[:2]}_" in first


def test_prose_is_carried_over_only_where_the_code_is_the_same(tmp_path):
    source = ROOT / "notebooks" / "source" / "02_kl_divergence.py"
    notebook = tmp_path / "02.ipynb"
    notebook.write_text((ROOT / "notebooks" / "02_kl_divergence.ipynb").read_text())
    edited = tmp_path / "02.py"
    edited.write_text(
        source.read_text().replace("# ## Define the divergence", "# ## Define, once more, the divergence")
    )
    assert prose.carry(edited, notebook)
    before = nbformat.read(ROOT / "notebooks" / "02_kl_divergence.ipynb", as_version=4)
    after = nbformat.read(notebook, as_version=4)
    assert "Define, once more," in notebook.read_text()
    assert [cell.get("outputs") for cell in after.cells] == [cell.get("outputs") for cell in before.cells]
    assert [cell.get("id") for cell in after.cells if cell.cell_type == "code"] == [
        cell.get("id") for cell in before.cells if cell.cell_type == "code"
    ]
    edited.write_text(edited.read_text().replace("assert ", "assert 1 and ", 1))
    untouched = notebook.read_text()
    assert not prose.carry(edited, notebook) and notebook.read_text() == untouched
