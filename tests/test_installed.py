"""The installed package: the wheel holds all that a lesson imports, and the set-up cell adds only what is missing."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import jupytext
import pytest
from test_notebooks import NOTEBOOKS, ROOT, setup_cell

from tools import setup_cell as writer
from tools import slug


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The package, built as pip builds it; from a copy, so that the clone stays as it is."""
    copy, target = tmp_path_factory.mktemp("source") / "copy", tmp_path_factory.mktemp("wheel")
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "course_utils", copy / "course_utils", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(target)]
    subprocess.run([*command, str(copy)], check=True)
    (built,) = target.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_the_questions_and_the_explorer(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    others = [path for kind in ("json", "js", "css") for path in (ROOT / "course_utils").glob(f"*/*.{kind}")]
    files = [*(ROOT / "course_utils").rglob("*.py"), *others]
    assert len(files) > 15
    assert {file.relative_to(ROOT).as_posix() for file in files} <= inside


@pytest.fixture
def colab(tmp_path):
    """A Python with everything that is installed here except the course, as on Colab."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    show = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(subprocess.run([python, "-c", show], check=True, capture_output=True, text=True).stdout.strip())
    # Folders named in a .pth file are searched, but their own .pth files, the course's among them, are not read.
    (packages / "here.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    return python


def freeze(python):
    command = [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {package["name"].lower(): package["version"] for package in listed if package["name"] != "vae-course"}


def test_the_set_up_cell_installs_the_course_and_leaves_tensorflow_alone(wheel, colab, tmp_path):
    """Here the rest is present, so the cell has to do without an index."""
    before = freeze(colab)
    assert "tensorflow" in before
    cell = setup_cell(NOTEBOOKS[0])
    lesson = cell + "\nfrom course_utils import selftest\nprint(runtime.__file__, len(selftest.questions('05')))"
    settings = {"COURSE_SOURCE": str(wheel), "PIP_NO_INDEX": "1", "COURSE_BUDGET": "smoke"}
    environment = {**os.environ, **settings}
    environment.pop("PYTHONPATH", None)
    ran = subprocess.run([colab, "-c", lesson], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert str(tmp_path) in ran.stdout, "the course was not imported from the fresh environment"
    assert "tensorflow" in ran.stdout and "budget: smoke" in ran.stdout
    assert freeze(colab) == before


def test_where_the_course_is_the_set_up_cell_calls_no_pip(tmp_path):
    (tmp_path / "pip.py").write_text("raise SystemExit('pip was called')")
    environment = {**os.environ, "COURSE_SOURCE": "nowhere", "COURSE_BUDGET": "smoke"}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(ROOT)])
    command = [sys.executable, "-c", setup_cell(NOTEBOOKS[0])]
    ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "budget: smoke" in ran.stdout


def test_an_install_that_fails_says_why(colab, tmp_path):
    environment = {**os.environ, "COURSE_SOURCE": str(tmp_path / "no_such_folder"), "PIP_NO_INDEX": "1"}
    environment.pop("PYTHONPATH", None)
    command = [colab, "-c", setup_cell(NOTEBOOKS[0])]
    ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode and "AssertionError: ERROR: " in ran.stderr and "no_such_folder" in ran.stderr


def test_without_colab_the_set_up_cell_installs_nothing(colab, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key not in ("COURSE_SOURCE", "PYTHONPATH")}
    command = [colab, "-c", setup_cell(NOTEBOOKS[0])]
    ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert "No module named 'course_utils'" in ran.stderr
    assert not list((tmp_path / "env").rglob("course_utils"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_set_up_cell_is_the_one_that_all_lessons_share(path):
    assert setup_cell(path) == writer.setup_cell(path.stem[:2])


def test_the_set_up_cell_can_be_written_into_a_source_and_a_notebook(tmp_path, monkeypatch):
    source, notebook = tmp_path / "00_start_here.py", tmp_path / "00_start_here.ipynb"
    source.write_text((ROOT / "notebooks" / "source" / source.name).read_text())
    notebook.write_text((ROOT / "notebooks" / notebook.name).read_text())
    monkeypatch.setattr(writer, "setup_cell", lambda lesson: f"budget = 'of lesson {lesson}'")
    for path in (source, notebook):
        before = path.read_text()
        path.write_text(before.replace("hide-input", "other"))
        writer.write(path, "00")
        assert "of lesson 00" in path.read_text() and "find_spec" not in path.read_text()
        (cell,) = [cell for cell in jupytext.read(path).cells if "setup" in cell.metadata.get("tags", [])]
        assert {key: cell.metadata[key] for key in writer.FOLDED} == writer.FOLDED
        assert len(before) - 1500 < len(path.read_text()) < len(before)


def test_one_command_moves_the_course_to_another_repository(tmp_path, monkeypatch):
    old = slug.slug()
    names = ["README.md", "pyproject.toml", "CITATION.cff", "notebooks/source/setup_cell.py"]
    names += ["notebooks/05_fashion_mnist_vae.ipynb", "notebooks/source/05_fashion_mnist_vae.py"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    monkeypatch.setattr(slug, "ROOT", tmp_path)
    changed = slug.rename(old, "somebody/else")
    assert {path.relative_to(tmp_path).as_posix() for path in changed} == set(names)
    assert slug.slug() == "somebody/else"
    assert not [name for name in names if old in (tmp_path / name).read_text()]


def test_the_slug_stands_in_no_file_that_the_command_does_not_rewrite():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    known = {path.relative_to(ROOT).as_posix() for pattern in slug.WITH_LINKS for path in ROOT.glob(pattern)}
    for name in set(tracked) - known:
        if name.endswith((".py", ".md", ".toml", ".yml", ".css")) and not name.startswith("tests/"):
            assert slug.slug() not in (ROOT / name).read_text(), name
