"""The house: rooms with one door each, tests that mirror them, and a map that names every one."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "course_utils"
ROOMS = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
FILES = sorted(PACKAGE.rglob("*.py"))


def test_the_package_alone_loads_no_tensorflow():
    code = "import course_utils, sys; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_no_file_name_begins_with_an_underscore_but_that_of_a_door():
    assert len(FILES) > 30
    assert not [path for path in FILES if path.name.startswith("_") and path.name != "__init__.py"]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_door_maps_its_room_and_names_what_is_public(room):
    door = ast.parse((room / "__init__.py").read_text())
    shown = set(re.findall(r"^``(\w+\.py)``", ast.get_docstring(door), flags=re.M))
    assert shown == {path.name for path in room.glob("*.py")} - {"__init__.py"}
    (public,) = [node.value for node in door.body if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"]
    imported = {
        name.asname or name.name for node in door.body if isinstance(node, ast.ImportFrom) for name in node.names
    }
    assert sorted(ast.literal_eval(public)) == sorted(imported), "the door holds the public names, and only those"


def test_nothing_private_of_one_file_is_imported_by_another():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_utils"):
                assert not [name.name for name in node.names if name.name.startswith("_")], path


def test_the_tests_mirror_the_rooms():
    for room in ROOMS:
        assert list((ROOT / "tests" / room.name).glob("test_*.py")), room.name
    for folder in (ROOT / "tests").iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert PACKAGE / folder.name in ROOMS, folder


def test_the_map_in_contributing_names_every_room():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rooms = {f"{path.name}/" for path in ROOMS} | {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    assert set(re.findall(r"^\| `([\w.]+/?)` \|", text, flags=re.M)) >= rooms
