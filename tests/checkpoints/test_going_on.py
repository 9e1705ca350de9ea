"""More epochs, fewer, losses that are no numbers, damaged and old folders: what is said, and that the advice works."""

import json
import shutil

import numpy as np
import pytest
from tiny_training import At, same_weights, train

from course_utils import checkpoints
from course_utils.border import files
from course_utils.checkpoints import records


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    return folder, *train(folder)


def copy_of(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def test_a_finished_training_goes_on_to_more_epochs_with_the_rate_that_is_said(finished, tmp_path, capsys):
    folder = copy_of(finished[0], tmp_path)
    once, history = train(folder, epochs=4)
    printed = capsys.readouterr().out
    # Halfway through the cosine of 16 steps, whose warm-up takes one.
    assert "Resumed at step 8 of 16. The 2 epochs were finished" in printed
    assert "that of a training of 4 epochs: 0.0055 now, and 0 at the end" in printed
    assert len(history["loss"]) == 4 and history["loss"][:2] == finished[2]["loss"]
    assert history["loss"][3] < history["loss"][1]
    again = shutil.copytree(finished[0], tmp_path / "cut")
    with pytest.raises(KeyboardInterrupt):
        train(again, epochs=4, callbacks=[At(11)])
    resumed, cut_history = train(again, epochs=4)
    assert same_weights(once, resumed) and cut_history == history


def test_fewer_epochs_than_were_done_are_refused_and_the_advice_gets_the_model(finished, tmp_path):
    folder = copy_of(finished[0], tmp_path)
    with pytest.raises(ValueError, match="has done 2 epochs, and 1 are asked for.* Ask for 2 epochs to get that model"):
        train(folder, epochs=1)
    model, _ = train(folder, epochs=2)
    assert same_weights(model, finished[1])


def test_more_epochs_before_the_end_are_refused_and_can_follow_later(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, callbacks=[At(3)])
    with pytest.raises(ValueError, match="epochs 2 there, 3 here.* More epochs can follow once it has finished"):
        train(tmp_path, epochs=3)
    train(tmp_path)
    _, history = train(tmp_path, epochs=3)
    assert len(history["loss"]) == 3


def test_a_loss_that_is_no_number_stops_the_training_and_the_advice_works(tmp_path, capsys):
    with pytest.raises(FloatingPointError) as stopped:
        train(tmp_path / "hot", peak_rate=1e30)
    told = str(stopped.value)
    assert "at step 3 of 8" in told and "lower peak_rate helps most often: try 1e+29" in told
    assert "The checkpoint of step 2 in" in told and "name another folder to begin anew" in told
    assert checkpoints.complete(tmp_path / "hot")[0].name == "step-00000002"
    with pytest.raises(FloatingPointError, match="at step 3 of 8"):
        train(tmp_path / "hot", peak_rate=1e30)
    assert "Resumed at step 2 of 8" in capsys.readouterr().out
    model, history = train(tmp_path / "cold", peak_rate=1e-2)
    assert np.isfinite(history["loss"]).all()


def test_without_a_folder_the_training_stops_too():
    with pytest.raises(FloatingPointError) as stopped:
        train(None, peak_rate=1e30)
    assert "checkpoint" not in str(stopped.value)


def test_weights_that_are_no_numbers_get_into_no_checkpoint(tmp_path):
    def spoil(model):
        model.dense.bias.assign([np.nan])

    with pytest.raises(FloatingPointError, match="at step 8 of 8"):
        train(tmp_path, callbacks=[At(8, spoil)])
    assert checkpoints.complete(tmp_path)[0].name == "step-00000007"


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: [],
        lambda record: 7,
        lambda record: record | {"settings": []},
        lambda record: record | {"history": "lost"},
        lambda record: record | {"history": {"loss": [None]}},
        lambda record: record | {"settings": record["settings"] | {"epochs": "2"}},
        lambda record: record | {"format": "2"},
        lambda record: {name: value for name, value in record.items() if name != "callbacks"},
    ],
)
def test_a_record_that_parses_and_is_damaged_is_passed_over(damage, finished, tmp_path, capsys):
    folder = copy_of(finished[0], tmp_path)
    path = folder / "step-00000008" / "training.json"
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    assert checkpoints.recorded_settings(folder)["epochs"] == 2
    model, history = train(folder)
    assert "step-00000008" in (printed := capsys.readouterr().out) and "Resumed at step 7 of 8" in printed
    assert same_weights(model, finished[1]) and history == finished[2]


def test_checkpoints_of_an_earlier_version_are_refused_and_another_folder_works(finished, tmp_path):
    folder = copy_of(finished[0], tmp_path)
    for path in folder.glob("*/training.json"):
        path.write_text(json.dumps({"settings": {"epochs": 2}, "history": {"loss": [1.0]}}))
    assert checkpoints.recorded_settings(folder) == {}
    with pytest.raises(ValueError, match="earlier version of the course.* Name another folder to begin anew"):
        train(folder)
    train(tmp_path / "another")


def test_where_nothing_was_trained_other_settings_are_free(tmp_path, capsys):
    """After "Try batch_size=4" because 8 did not fit: the untrained first checkpoint stands in nobody's way."""

    def exhausted(model):
        raise MemoryError

    with pytest.raises(MemoryError, match="batches of 8 images. Try batch_size=4.$"):
        train(tmp_path, callbacks=[At(1, exhausted)], checkpoint_every=2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000000"]
    _, history = train(tmp_path, batch_size=4)
    assert len(history["loss"]) == 2 and "Resumed" not in capsys.readouterr().out


def test_where_something_was_trained_the_advice_names_another_folder(tmp_path):
    def exhausted(model):
        raise MemoryError

    with pytest.raises(MemoryError, match="Try batch_size=4 and another folder than .*, to begin anew"):
        train(tmp_path / "one", callbacks=[At(3, exhausted)])
    train(tmp_path / "two", batch_size=4)


def test_two_trainings_in_one_folder_are_told(tmp_path):
    with files.only_one(tmp_path, "for checkpoints"):
        with pytest.raises(OSError, match="Another training is at work in .* Wait until it has ended, or name another"):
            train(tmp_path)
        train(tmp_path / "another")
    train(tmp_path)


def test_a_full_disk_is_told_with_ways_out_that_work(finished, tmp_path, monkeypatch, capsys):
    def full(path, record):
        raise OSError(28, "No space left on device")

    with pytest.raises(
        OSError, match="step 6 .*: No space left on device. The one of step 5 is intact.*copy the folder"
    ):
        train(tmp_path / "here", callbacks=[At(6, lambda model: monkeypatch.setattr(records, "write", full))])
    assert not list((tmp_path / "here").glob("*.part")), "half a checkpoint takes no room"
    monkeypatch.undo()
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    for folder in ("here", "there"):
        model, history = train(tmp_path / folder)
        assert "Resumed at step 5 of 8" in capsys.readouterr().out
        assert same_weights(model, finished[1]) and history == finished[2]


@pytest.mark.parametrize("folder", ["", " "])
def test_an_empty_name_is_not_the_current_folder(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="as by a variable that is not set"):
        train(folder)
    assert not list(tmp_path.iterdir())
