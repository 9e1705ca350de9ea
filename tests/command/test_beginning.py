"""What the command finds out before TensorFlow starts: folders, other trainings, memory, options."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from course_utils import train
from course_utils.border import files
from course_utils.command import beginning, running


@pytest.fixture
def before_tensorflow(monkeypatch):
    """The command as far as TensorFlow's start, where it would go on."""
    begun = []
    monkeypatch.setattr(beginning, "_free_memory", lambda: 1 << 40)
    monkeypatch.setattr(running, "_train", lambda options: (begun.append(options), None))
    monkeypatch.setattr(running, "_leave_results", lambda *arguments: None)
    return begun


def closed_folder(tmp_path):
    if os.geteuid():
        (tmp_path / "closed").mkdir(mode=0o555)
        return tmp_path / "closed"
    return Path("/proc/self")  # which root cannot write either


def told(capsys):
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("python -m course_utils.train: "), lines
    return lines[0]


def test_a_folder_that_cannot_be_written_is_told(tmp_path, before_tensorflow, capsys):
    folder = closed_folder(tmp_path)
    assert train.main(["--resume", str(folder)]) == 1
    assert f"The folder of the run, {folder}, cannot be written" in (line := told(capsys))
    assert "Name another by --resume." in line and not before_tensorflow
    assert train.main(["--resume", str(tmp_path / "another")]) == 0 and before_tensorflow


@pytest.mark.parametrize("name", ["logs", "checkpoints"])
def test_a_file_in_the_place_of_a_folder_is_told(name, tmp_path, before_tensorflow, capsys):
    (tmp_path / name).write_text("kept")
    assert train.main(["--resume", str(tmp_path)]) == 1
    assert f"The folder {name} of the run" in (line := told(capsys)) and "a file is in its place" in line
    assert (tmp_path / name).read_text() == "kept" and not before_tensorflow


@pytest.mark.parametrize("name", ["logs", "checkpoints"])
def test_a_closed_folder_within_the_run_is_told(name, tmp_path, before_tensorflow, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(closed_folder(tmp_path))
    assert train.main(["--resume", str(tmp_path / "run")]) == 1
    assert f"The folder {name} of the run" in told(capsys) and not before_tensorflow


@pytest.mark.parametrize("name", ["model.weights.h5", "picture.png"])
def test_a_folder_in_the_place_of_a_file_is_told(name, tmp_path, before_tensorflow, capsys):
    (tmp_path / name).mkdir()
    assert train.main(["--resume", str(tmp_path)]) == 1
    assert f"{name} is a folder" in told(capsys) and not before_tensorflow


def test_two_trainings_in_one_folder_are_told(tmp_path, before_tensorflow, capsys):
    with files.only_one(tmp_path, "by --resume"):
        assert train.main(["--resume", str(tmp_path)]) == 1
        assert "Another training is at work in" in (line := told(capsys)) and "name another folder by --resume" in line
    assert train.main(["--resume", str(tmp_path)]) == 0 and before_tensorflow


def test_a_wrong_cluster_is_told_first(tmp_path, before_tensorflow, monkeypatch, capsys):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": "a:1"}}')
    assert train.main(["--strategy", "multiworker", "--resume", str(tmp_path)]) == 1
    assert "TF_CONFIG does not give the addresses" in told(capsys) and not before_tensorflow


@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_folder_is_not_the_current_one(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        train.main(["--resume", text])
    assert ended.value.code == 2 and not list(tmp_path.iterdir())
    assert "--resume: the name of the folder is empty" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["many", "0", "-1", "1.5", "", "1e3"])
@pytest.mark.parametrize("option", ["--epochs", "--batch", "--images", "--every"])
def test_what_is_no_number_is_told_as_such(option, text, capsys):
    with pytest.raises(SystemExit) as ended:
        train.main([f"{option}={text}"])
    assert ended.value.code == 2
    assert f"{option}: '{text}' is not a whole number of 1 or more" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["fast", "0", "-1", "nan", "inf"])
def test_a_rate_that_is_none_is_told(text, capsys):
    with pytest.raises(SystemExit):
        train.main([f"--peak-rate={text}"])
    assert f"'{text}' is not a number above 0" in capsys.readouterr().err


def test_little_memory_is_told_with_a_batch_that_is_then_accepted(monkeypatch):
    monkeypatch.setattr(beginning, "_free_memory", lambda: 1.8e9)
    with pytest.raises(
        MemoryError, match=r"1.8 GB of memory are free, .* batches of 128 needs .* or take --batch (\d+)"
    ) as few:
        beginning.refuse_little_memory(128)
    beginning.refuse_little_memory(int(str(few.value).split("--batch ")[1].rstrip(".")))
    monkeypatch.setattr(beginning, "_free_memory", lambda: 0.5e9)
    with pytest.raises(MemoryError, match="Close what else uses it.$"):
        beginning.refuse_little_memory(8)
    monkeypatch.setattr(beginning, "_free_memory", lambda: None)
    beginning.refuse_little_memory(128)


def test_a_limit_of_addresses_is_told_before_tensorflow_starts(tmp_path):
    limit = 2_500_000_000

    def limited():
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    command = [sys.executable, "-m", "course_utils.train", "--resume", str(tmp_path), "--data", "drawn", "--batch", "8"]
    ended = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True, timeout=120)
    (line,) = ended.stderr.strip().splitlines()
    assert ended.returncode == 1 and "2.5 GB of addresses" in line and "ulimit -v unlimited" in line


def test_free_memory_is_known_here():
    assert beginning._free_memory() is None or beginning._free_memory() > 1e8


@pytest.mark.parametrize(
    "error, words",
    [
        (MemoryError(), "not enough memory. Close what else uses it, or take a smaller --batch"),
        (MemoryError("Try batch_size=4."), "Try --batch 4."),
        (FloatingPointError("A lower peak_rate helps most often: try 0.0001."), "try --peak-rate 0.0001."),
        (
            FloatingPointError("A lower peak_rate helps most often: try 0.0001, or float32 in place of float16."),
            "Try --peak-rate 0.0001, or --precision float32 in place of float16.",
        ),
    ],
)
def test_advice_is_given_in_options_of_the_command(error, words, tmp_path, before_tensorflow, monkeypatch, capsys):
    def fail(options):
        raise error

    monkeypatch.setattr(running, "_train", fail)
    assert train.main(["--resume", str(tmp_path)]) == 1
    assert words in told(capsys)
