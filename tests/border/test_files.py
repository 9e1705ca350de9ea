"""files: folders that can be written, files that are whole or not there, one writer a folder. As root, too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from course_utils.border import files


@pytest.fixture
def unwritable(tmp_path):
    """A folder that exists and cannot be written, by root neither: one of the kernel's, where there is one."""
    if os.geteuid():
        (tmp_path / "closed").mkdir(mode=0o555)
        return tmp_path / "closed"
    return Path("/proc/self")


def test_a_folder_that_can_be_written_is_made_and_left_empty(tmp_path):
    assert files.make_writable(tmp_path / "a" / "b", "The folder") == tmp_path / "a" / "b"
    assert not list((tmp_path / "a" / "b").iterdir())


def test_one_that_cannot_be_written_or_made_is_named(unwritable, tmp_path):
    with pytest.raises(OSError, match=f"The folder, {unwritable}, cannot be written: .*Name another"):
        files.make_writable(unwritable, "The folder")
    with pytest.raises(OSError, match="cannot be made"):
        files.make_writable(unwritable / "run", "The folder")
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OSError, match="file, cannot be made: a file is in its place"):
        files.make_writable(tmp_path / "file", "The folder")


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "picture.png"

    def half(part):
        part.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="picture.png cannot be written: No space left on device. What was there before"):
        files.write_whole(path, half)
    assert not list(tmp_path.iterdir())
    files.write_whole(path, lambda part: part.write_text("whole"))
    with pytest.raises(OSError):
        files.write_whole(path, half)
    assert path.read_text() == "whole" and list(tmp_path.iterdir()) == [path]


PROGRAM = """
import sys
from course_utils.border import files
with files.only_one(sys.argv[1], ""):
    print("in", flush=True)
    input()
"""


def test_the_second_one_in_a_folder_is_told_and_a_killed_one_leaves_no_lock(tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"in\n"
    with pytest.raises(BlockingIOError, match="Another training is at work"), files.only_one(tmp_path, "by --resume"):
        pass
    process.kill()
    process.communicate()
    with files.only_one(tmp_path, "by --resume"):
        assert not list(tmp_path.iterdir())
