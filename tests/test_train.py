"""train: the command, end to end on a few drawn avatars, and what it says when something is wrong."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from course_utils import data, precision, train, training
from course_utils.command import running
from course_utils.data import archive_download
from course_utils.data.image_files import file_key

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
    assert (folder / "model.weights.h5").stat().st_size > 10_000_000
    assert list((folder / "logs").rglob("events.out.*"))
    before = (folder / "model.weights.h5").read_bytes()
    assert train.main([*FEW, "--resume", str(folder)]) == 0
    assert "Resumed at step 6 of 6" in capsys.readouterr().out
    assert len(before) == len((folder / "model.weights.h5").read_bytes())
    assert train.main([*FEW, "--resume", str(folder), "--epochs", "1"]) == 1
    assert "has done 2 epochs, and 1 are asked for: nothing is left to train" in capsys.readouterr().err


def test_the_help_shows_what_to_type(capsys):
    with pytest.raises(SystemExit) as ended:
        train.main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    for word in ("examples:", "--resume FOLDER", "MyDrive", "TF_CONFIG", "tensorboard --logdir", "picture.png"):
        assert word in printed


@pytest.mark.parametrize(
    "wrong",
    [
        ["--epochs", "0"],
        ["--batch", "many"],
        ["--size", "300"],
        ["--channels", "4"],
        ["--fit", "squeeze"],
        ["--precision", "int8"],
        ["--strategy", "tpu"],
        ["--budget", "huge"],
    ],
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
        (MemoryError("not enough memory for batches of 8 images. Try batch_size=4."), 1, "Try --batch 4"),
        (OSError("the checkpoint cannot be written"), 1, "cannot be written"),
    ],
)
def test_failures_end_in_one_line(failure, code, words, tmp_path, monkeypatch, capsys):
    def fail(*arguments, **options):
        raise failure

    monkeypatch.setattr(training, "fit", fail)
    assert train.main([*FEW, "--resume", str(tmp_path)]) == code
    assert words in capsys.readouterr().err.strip().splitlines()[-1]


class Stop(ValueError):
    """The training would begin here."""


@pytest.fixture
def no_training(monkeypatch):
    def stop(*arguments, **options):
        raise Stop("the training would begin here")

    monkeypatch.setattr(training, "fit", stop)


def own_images(folder, number=12, held_out=None):
    """A folder with avatars of 256x256; with `held_out`, only such as the split puts there, or does not."""
    folder.mkdir()
    names = (f"own{each}.png" for each in range(10_000))
    chosen = [name for name in names if held_out is None or (file_key(name) % 10 == 0) == held_out][:number]
    for seed, name in enumerate(chosen):
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((256, 256)).save(folder / name)
    return str(folder)


# --- which images, and how many


@pytest.mark.parametrize(
    "arguments, source, folder, limit",
    [
        ([], "auto", None, 400),
        (["--data", "real"], "real", None, 400),
        (["--data", "drawn"], "drawn", None, 400),
        (["--data", "cartoonset10k"], "real", "cartoonset10k", None),
        (["--data", "cartoonset10k", "--images", "7"], "real", "cartoonset10k", 7),
        (["--download", "100k"], "real", None, None),
        (["--download", "100k", "--images", "7"], "real", None, 7),
        (["--data", "real", "--download", "10k"], "real", None, None),
        (["--data", "mine", "--download", "10k"], "real", "mine", None),
    ],
)
def test_what_is_named_is_used_and_all_of_it(arguments, source, folder, limit, tmp_path, monkeypatch, capsys):
    asked = {}

    def load(**options):
        asked.update(options)
        raise Stop("enough is known")

    monkeypatch.setattr(data, "load_cartoonset", load)
    assert train.main([*arguments, "--budget", "smoke", "--resume", str(tmp_path / "run")]) == 1
    assert (asked["source"], asked["folder"], asked["limit"]) == (source, folder, limit)
    assert asked["download"] == (arguments[arguments.index("--download") + 1] if "--download" in arguments else None)


@pytest.mark.parametrize(
    "arguments, asked",
    [
        ([], {"limit": None}),
        (["--images", "7"], {"limit": 7}),
        (["--size", "96", "--channels", "1", "--fit", "pad"], {"limit": None, "size": 96, "channels": 1, "fit": "pad"}),
    ],
)
def test_a_folder_of_ones_own_is_loaded_as_asked(arguments, asked, tmp_path, monkeypatch, capsys):
    found = {}

    def load(folder, **options):
        found.update(options, folder=folder)
        raise Stop("enough is known")

    monkeypatch.setattr(data, "load_folder", load)
    mine = own_images(tmp_path / "mine", 1)
    assert train.main(["--data", mine, *arguments, "--resume", str(tmp_path / "run")]) == 1
    assert found == {"folder": mine, **asked}


@pytest.mark.parametrize("place", ["drawn", "auto", "{root}/cartoonset10k", "{root}/holds", "{root}/official"])
@pytest.mark.parametrize("option", [["--size", "64"], ["--channels", "3"], ["--fit", "pad"]])
def test_what_has_no_effect_on_cartoon_set_is_refused(place, option, tmp_path, capsys, no_training):
    for folder in ("cartoonset10k", "holds/cartoonset-sample", "official/0"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "official" / "0" / "cs10456059199050351.png").write_bytes(b"")
    arguments = ["--data", place.format(root=tmp_path), *option, "--resume", str(tmp_path / "run")]
    assert train.main(arguments) == 1
    said = capsys.readouterr().err
    assert f"{option[0]} would have no effect" in said and "a folder of your own images by --data" in said


def test_a_run_on_images_of_ones_own(tmp_path, capsys):
    """Of several kinds and shapes, to the end and once more: nothing is left to do then."""
    mine = tmp_path / "mine"
    mine.mkdir()
    rng = np.random.default_rng(0)
    for number, end in enumerate(["jpg", "webp", "png", "tif"] * 6):
        pixels = rng.integers(0, 256, (20 + number, 40, 3), np.uint8)
        Image.fromarray(pixels).resize((200, 100)).save(mine / f"drawing{number}.{end}")
    options = ["--data", str(mine), "--size", "33", "--fit", "pad", "--channels", "1", "--batch", "8", "--epochs", "2"]
    options += ["--precision", "float32", "--resume", str(tmp_path / "run")]
    assert train.main(options) == 0
    assert "of 33x33 pixels in grey, padded to a square with white" in capsys.readouterr().out
    held_out = len(data.load_folder(mine, size=33, channels=1, fit="pad").test)
    with Image.open(tmp_path / "run" / "picture.png") as picture:
        assert held_out == 6 and picture.size == (33 * 6, 33 * 4) and picture.mode == "L"
    assert train.main(options) == 0
    assert "Resumed at step" in capsys.readouterr().out


def test_the_help_says_which_files_are_taken(capsys):
    with pytest.raises(SystemExit):
        train.main(["--help"])
    printed = " ".join(capsys.readouterr().out.split())
    for words in ("JPEG, PNG, WebP, GIF, BMP and TIFF", "--size PIXELS", "28 to 256 (default: 64)", "--fit {crop,pad}"):
        assert words in printed


def test_the_help_says_how_many_images(capsys):
    with pytest.raises(SystemExit):
        train.main(["--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "all of a FOLDER or a download" in printed
    assert "400 (smoke), 2,000 (laptop), 10,000 (full)" in printed


def test_what_a_limit_leaves_out_is_said(tmp_path, capsys, no_training):
    options = ["--data", own_images(tmp_path / "mine"), "--batch", "2", "--precision", "float32"]
    options += ["--resume", str(tmp_path / "run")]
    assert train.main([*options, "--images", "5"]) == 1
    assert "Using 5 of 12 images; --images 12 takes all." in capsys.readouterr().out
    assert train.main(options) == 1
    assert "Using" not in capsys.readouterr().out


def test_a_limit_is_named_where_nobody_has_counted(capsys):
    avatars = type("Avatars", (), {"images": range(5), "train": range(4), "test": range(1), "total": None})
    running._say_what_is_used(avatars, batch=2)
    assert "the first 5 images, which is the limit; there are more" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--data", ""], "named '', as by a variable that is not set"),
        (["--download", "10k"], "cartoonset10k.tgz could not be downloaded"),
        (["--data", "drawn", "--download", "10k"], "Leave out one of the two"),
        (["--data", "{mine}", "--download", "10k"], "has no cartoonset10k and no cartoonset10k.tgz"),
    ],
)
def test_named_images_are_used_or_refused(arguments, words, tmp_path, monkeypatch, capsys, no_training):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(archive_download, "MIRRORS", ["http://127.0.0.1:9/"])
    mine = own_images(tmp_path / "mine", 2)
    arguments = [argument.format(mine=mine) for argument in arguments]
    assert train.main([*arguments, "--resume", str(tmp_path / "run")]) == 1
    said = capsys.readouterr()
    assert words in said.err and "DRAWN" not in said.out and "Traceback" not in said.err


# --- small sets


@pytest.mark.parametrize(
    "number, held_out, words",
    [
        (3, True, "0 of 3 images are for training, too few for a batch of 4. Add images."),
        (3, False, "3 of 3 images are for training, too few for a batch of 4. Add images, or take --batch 3."),
    ],
)
def test_too_few_images_are_refused_before_the_training(number, held_out, words, tmp_path, capsys, no_training):
    mine = own_images(tmp_path / "mine", number, held_out)
    options = ["--batch", "4", "--precision", "float32", "--resume", str(tmp_path / "run")]
    assert train.main(["--data", mine, *options]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("number", [1, 3])
def test_a_set_without_held_out_images_ends_with_a_picture(number, tmp_path, monkeypatch, capsys):
    """All but the training itself, which a set of any size survives."""
    monkeypatch.setattr(training, "fit", lambda *arguments, **options: {})
    options = ["--batch", "1", "--precision", "float32", "--resume", str(tmp_path / "run")]
    assert train.main(["--data", own_images(tmp_path / "mine", number, held_out=False), *options]) == 0
    assert "picture.png will show images of the training" in capsys.readouterr().out
    with Image.open(tmp_path / "run" / "picture.png") as picture:
        assert picture.size == (64 * number, 64 * 4) and np.asarray(picture)[:64].std() > 20


# --- folders and machines


@pytest.mark.parametrize("path", ["afile", "afile/run"])
def test_a_folder_that_cannot_be_made_is_named_before_anything_is_loaded(path, tmp_path, monkeypatch, capsys):
    (tmp_path / "afile").write_text("kept")
    monkeypatch.setattr(data, "load_cartoonset", lambda **options: pytest.fail("too late"))
    assert train.main([*FEW, "--resume", str(tmp_path / path)]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"The folder of the run, {tmp_path / path}, cannot be made" in line and "Name another by --resume" in line
    assert (tmp_path / "afile").read_text() == "kept"


def test_quoted_code_is_left_out_of_the_line(tmp_path, monkeypatch, capsys):
    def fail(*arguments, **options):
        raise tf.errors.UnavailableError(None, None, 'Graph error:\n\n  File "a.py", line 1\n\nhost1 is gone\n\t [[x]]')

    monkeypatch.setattr(training, "fit", fail)
    assert train.main([*FEW, "--resume", str(tmp_path)]) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.endswith("TensorFlow stopped with UnavailableError: Graph error: host1 is gone")


COMMAND = [sys.executable, "-m", "course_utils.train"]


def small(folder):
    """A training of 30 images of one's own at 32x32, three steps an epoch, for what does not depend on the size."""
    options = ["--size", "32", "--batch", "8", "--epochs", "2", "--every", "2", "--precision", "float32"]
    return ["--data", own_images(folder, 30), *options]


def weights(folder):
    with h5py.File(folder / "model.weights.h5") as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def test_the_command_killed_and_started_again_ends_with_the_same_weights(tmp_path):
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    command = [*COMMAND, *small(tmp_path / "mine"), "--epochs", "12"]
    subprocess.run([*command, "--resume", str(whole)], env=environment, check=True, capture_output=True)
    process = subprocess.Popen([*command, "--resume", str(cut)], env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(cut.glob("checkpoints/step-00000002")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    again = subprocess.run(
        [*command, "--resume", str(cut)], env=environment, check=True, capture_output=True, text=True
    )
    assert 2 <= int(re.search(r"Resumed at step (\d+) of 36", again.stdout)[1]) < 36, "it was not cut off"
    one, other = weights(whole), weights(cut)
    assert len(one) > 20 and one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_the_precision_of_a_run_that_goes_on_is_the_one_it_began_with(tmp_path, capsys, monkeypatch):
    automatic = [word if word != "float32" else "auto" for word in small(tmp_path / "mine")]
    monkeypatch.setattr(precision, "fastest", lambda: "bfloat16")
    assert train.main([*automatic, "--resume", str(tmp_path / "run")]) == 0
    monkeypatch.setattr(precision, "fastest", lambda: "float32")
    assert train.main([*automatic, "--resume", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    assert printed.count("batches of 8, bfloat16") == 2 and "Resumed at step 6 of 6" in printed


def test_two_workers_end_with_one_set_of_files(tmp_path):
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    command = [*COMMAND, *small(tmp_path / "mine"), "--strategy", "multiworker", "--resume", str(tmp_path / "run")]
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
    assert len(weights(tmp_path / "run")) > 20 and (tmp_path / "run" / "picture.png").exists()
