"""fit with a folder for checkpoints: killed, interrupted, damaged or misused, nothing is lost or mixed up."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from small_vae import small_vae, train

from course_utils import checkpoints, precision, training


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


class At(keras.callbacks.Callback):
    """Do something after a step."""

    watches_only = True

    def __init__(self, step, action):
        super().__init__()
        self.step, self.action = step, action

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations.numpy()) == self.step:
            self.action()


def interrupt():
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole"))


def test_checkpoints_change_nothing_about_a_training(whole, tmp_path):
    again, history = train(tmp_path)
    assert same(whole[0], again) and history == whole[1]
    assert len(history["loss"]) == 4 and history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("step", [1, 5, 6, 13, 23])
def test_an_interrupted_training_ends_with_the_same_weights_and_history(step, whole, tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [At(step, interrupt)])
    resumed, history = train(tmp_path)
    saved = 4 if step == 6 else step  # at 6 the epoch ends, and its figures are not there yet
    assert f"Resumed at step {saved} of 24" in capsys.readouterr().out
    assert same(whole[0], resumed) and history == whole[1]


def test_a_training_cut_off_between_two_epochs_starts_the_next_one_with_empty_sums(whole, tmp_path, capsys):
    class Between(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [Between()])
    resumed, history = train(tmp_path)
    assert "Resumed at step 12 of 24" in capsys.readouterr().out
    assert same(whole[0], resumed) and history == whole[1]


def test_a_finished_training_returns_at_once_with_its_history(whole, tmp_path):
    train(tmp_path)
    again, history = train(tmp_path, [At(25, interrupt)])
    assert same(whole[0], again) and history == whole[1]


def test_sigkill_at_any_moment_costs_at_most_the_steps_since_the_last_checkpoint(whole, tmp_path):
    program = [sys.executable, Path(__file__).parents[1] / "small_vae.py", tmp_path]
    rng = np.random.default_rng(time.time_ns())  # a moment that is new in every run of this test
    reached = 0
    for _ in range(3):
        process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        wanted, begun = int(rng.integers(reached + 1, 24)), None
        for line in process.stdout:
            if line.startswith("step"):
                reached = int(line.split()[1])
                begun = begun or reached
                if reached >= wanted:
                    time.sleep(rng.uniform(0, 0.03))
                    os.kill(process.pid, signal.SIGKILL)
                    break
        process.stdout.read()
        assert process.wait() == -signal.SIGKILL
        saved = max(int(path.name[5:]) for path in tmp_path.glob("step-????????"))
        assert saved >= reached - 2, "more was lost than the interval between two checkpoints"
        reached = saved
    resumed, history = train(tmp_path)
    assert same(whole[0], resumed) and history == whole[1]


def test_a_half_written_checkpoint_is_not_taken_for_one(whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [At(9, interrupt)])
    part = tmp_path / "step-00000010.part"
    part.mkdir()
    (part / "state.index").write_bytes(b"half")
    resumed, _ = train(tmp_path)
    assert same(whole[0], resumed) and not part.exists()


@pytest.mark.parametrize("damage", ["data", "index", "both gone"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(damage, whole, tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [At(9, interrupt)])
    newest = max(tmp_path.glob("step-????????"))
    for path in newest.iterdir():
        if damage == "both gone":
            path.unlink()
        elif damage in path.name:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    resumed, history = train(tmp_path)
    printed = capsys.readouterr().out
    assert "step-00000009" in printed and "cannot be read" in printed and "Resumed at step 8 of 24" in printed
    assert same(whole[0], resumed) and history == whole[1]


def test_if_no_checkpoint_can_be_read_the_folder_is_named_and_left_alone(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [At(9, interrupt)])
    for path in tmp_path.glob("step-*/state.index"):
        path.write_bytes(b"")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match="None of the checkpoints in .* can be read: step-00000009, step-00000008"):
        train(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("change", [{"epochs": 5}, {"epochs": 3}, {"batch_size": 10}, {"peak_rate": 1e-3}])
def test_a_checkpoint_of_another_training_is_refused_by_name(change, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [At(5, interrupt)])
    (name,) = change
    with pytest.raises(ValueError, match=f"another training: .*{name.replace('_', ' ')}.* there, .* here"):
        train(tmp_path, **change)


def test_other_networks_are_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [At(5, interrupt)])
    with pytest.raises(ValueError, match="parameters .* there, .* here"):
        train(tmp_path, vae=small_vae(units=6))


def test_two_checkpoints_are_kept(tmp_path):
    train(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000022", "step-00000024"]


def test_a_folder_that_cannot_be_written_is_an_error_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="folder for checkpoints, .*file.*cannot be made.*Name another"):
        train(tmp_path / "file" / "run", [At(1, interrupt)])


def test_a_full_disk_leaves_the_earlier_checkpoint(whole, tmp_path, monkeypatch):
    def full(self, path, options=None):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    with pytest.raises(OSError, match="No space left on device. The one of step 8 is intact. Make room"):
        train(tmp_path, [At(9, lambda: monkeypatch.setattr(tf.train.Checkpoint, "write", full))])
    monkeypatch.undo()
    resumed, history = train(tmp_path)
    assert same(whole[0], resumed) and history == whole[1]


def test_too_little_memory_names_a_batch_size():
    def exhausted():
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    with pytest.raises(MemoryError, match="batches of 8 images. Try batch_size=4"):
        train(None, [At(2, exhausted)])


def test_snapshots_of_a_resumed_training_say_so(tmp_path):
    camera = training.Snapshots(lambda model: np.zeros((2, 2)), every=3)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [At(4, interrupt)])
    train(tmp_path, [camera], epochs=4)
    assert camera.captions == ["resumed", "epoch 1, batch 6", *(f"after epoch {epoch}" for epoch in (1, 2, 3, 4))]


def test_the_calibrated_variance_is_saved_and_restored(tmp_path):
    vae, _ = train(tmp_path)
    again, _ = train(tmp_path)
    assert float(again.decoder.variance) == float(vae.decoder.variance) != pytest.approx(0.1)


def test_a_folder_that_vanishes_is_not_made_again_somewhere_else(tmp_path):
    """As when a Drive is unmounted: its path would become a folder on a disk that the session takes with it."""
    drive = tmp_path / "Drive"
    with pytest.raises(OSError, match="step 8 cannot be written to .*Drive.*None is left there.*begins anew"):
        train(drive, [At(7, lambda: shutil.rmtree(drive))])
    assert not drive.exists()
    resumed, _ = train(drive)
    assert len(list(drive.glob("step-????????"))) == 2


def test_settings_are_recorded_for_whoever_goes_on(whole, tmp_path):
    assert checkpoints.recorded_settings(tmp_path) == {}
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [At(3, interrupt)])
    recorded = checkpoints.recorded_settings(tmp_path)
    assert (recorded["precision"], recorded["devices"], recorded["epochs"]) == ("float32", 1, 4)


def test_going_on_in_another_precision_or_with_other_images_is_refused(whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [At(3, interrupt)])
    with precision.using("bfloat16"):
        vae = small_vae()
    with pytest.raises(ValueError, match="precision float32 there, bfloat16 here"):
        train(tmp_path, vae=vae)
    others = np.zeros((50, 16, 16, 3), np.uint8)
    with pytest.raises(ValueError, match="pixels of the images .* there"):
        training.fit(small_vae(), others, epochs=4, peak_rate=1e-2, batch_size=8, checkpoints=tmp_path)
