"""train: the command, end to end on a few drawn avatars, and what it says when something is wrong."""

import numpy as np
import pytest
from PIL import Image

from course_utils import train, training

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
