"""train: the command, end to end on a few drawn avatars, and what it says when something is wrong."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from PIL import Image

from course_utils import precision, train, training

FEW = ["--data", "drawn", "--images", "30", "--batch", "8", "--epochs", "2", "--every", "2", "--precision", "float32"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("COURSE_DATA_DIR", raising=False)


def test_a_run_leaves_weights_a_picture_logs_and_checkpoints_and_a_second_one_has_nothing_to_do(tmp_path, capsys):
    folder = tmp_path / "run"
    assert train.main([*FEW, "--resume", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "DRAWN IN CODE" in printed and "2 epochs, batches of 8, float32, 1 device(s)" in printed
    with Image.open(folder / "picture.png") as picture:
        assert picture.width % 256 == 0 and picture.height == 4 * 256
        assert np.asarray(picture)[:256].std() > 20, "the first row is held-out avatars"
    assert (folder / "avatars.weights.h5").stat().st_size > 10_000_000
    assert list((folder / "logs").rglob("events.out.*"))
    before = (folder / "avatars.weights.h5").read_bytes()
    assert train.main([*FEW, "--resume", str(folder)]) == 0
    assert "Resumed at step 6 of 6" in capsys.readouterr().out
    assert len(before) == len((folder / "avatars.weights.h5").read_bytes())
    assert train.main([*FEW, "--resume", str(folder), "--epochs", "3"]) == 1
    assert "epochs 2 there, 3 here" in capsys.readouterr().err


def test_the_help_shows_what_to_type(capsys):
    with pytest.raises(SystemExit) as ended:
        train.main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    for word in ("examples:", "--resume FOLDER", "MyDrive", "TF_CONFIG", "tensorboard --logdir", "picture.png"):
        assert word in printed


@pytest.mark.parametrize(
    "wrong",
    [["--epochs", "0"], ["--batch", "many"], ["--precision", "int8"], ["--strategy", "tpu"], ["--budget", "huge"]],
)
def test_bad_values_end_with_code_2_and_a_line_that_names_them(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        train.main(wrong)
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert wrong[0] in last and wrong[1] in last


def test_a_folder_without_images_is_named(tmp_path, capsys):
    assert train.main(["--data", str(tmp_path / "nothing"), "--resume", str(tmp_path / "run")]) == 1
    errors = capsys.readouterr().err
    assert "nothing" in errors and "Traceback" not in errors


@pytest.mark.parametrize(
    "failure, code, words",
    [
        (KeyboardInterrupt(), 130, "run the same command to go on"),
        (MemoryError("not enough memory for batches of 8 images. Try batch_size=4."), 1, "Try batch_size=4"),
        (OSError("the checkpoint cannot be written"), 1, "cannot be written"),
    ],
)
def test_failures_end_in_one_line(failure, code, words, tmp_path, monkeypatch, capsys):
    def fail(*arguments, **options):
        raise failure

    monkeypatch.setattr(training, "fit", fail)
    assert train.main([*FEW, "--resume", str(tmp_path)]) == code
    assert words in capsys.readouterr().err.strip().splitlines()[-1]


COMMAND = [sys.executable, "-m", "course_utils.train", *FEW]


def weights(folder):
    with h5py.File(folder / "avatars.weights.h5") as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def test_the_command_killed_and_started_again_ends_with_the_same_weights(tmp_path):
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run([*COMMAND, "--resume", str(whole)], env=environment, check=True, capture_output=True)
    process = subprocess.Popen([*COMMAND, "--resume", str(cut)], env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(cut.glob("checkpoints/step-00000002")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    again = subprocess.run(
        [*COMMAND, "--resume", str(cut)], env=environment, check=True, capture_output=True, text=True
    )
    assert "Resumed at step" in again.stdout
    one, other = weights(whole), weights(cut)
    assert len(one) > 20 and one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_the_precision_of_a_run_that_goes_on_is_the_one_it_began_with(tmp_path, capsys, monkeypatch):
    automatic = [word if word != "float32" else "auto" for word in FEW]
    monkeypatch.setattr(precision, "fastest", lambda: "bfloat16")
    assert train.main([*automatic, "--resume", str(tmp_path)]) == 0
    monkeypatch.setattr(precision, "fastest", lambda: "float32")
    assert train.main([*automatic, "--resume", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("batches of 8, bfloat16") == 2 and "Resumed at step 6 of 6" in printed


def test_two_workers_end_with_one_set_of_files(tmp_path):
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    command = [*COMMAND, "--strategy", "multiworker", "--resume", str(tmp_path)]
    workers = []
    for index in range(2):
        configuration = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CONFIG": configuration}
        workers.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
    said = [worker.communicate(timeout=300) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert ["2 device(s)" in out for out, _ in said] == [True, True]
    assert ["Done." in out for out, _ in said] == [True, False]
    assert len(weights(tmp_path)) > 20 and (tmp_path / "picture.png").exists()
