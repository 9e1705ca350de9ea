"""Callbacks of a resumed training act as those of a whole one, or the training is refused."""

import collections

import numpy as np
import pytest
import tf_keras as keras
from tiny_training import At, same_weights, train

LONG = {"epochs": 5}


def stopping():
    return keras.callbacks.EarlyStopping("loss", patience=2, min_delta=1e6, restore_best_weights=True)


@pytest.mark.parametrize("step", [6, 8, 10])
def test_early_stopping_stops_a_resumed_training_where_it_stops_a_whole_one(step, tmp_path, capsys):
    whole, history = train(tmp_path / "whole", callbacks=[stopping()], **LONG)
    assert len(history["loss"]) == 3
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", callbacks=[At(step), stopping()], **LONG)
    resumed, again = train(tmp_path / "cut", callbacks=[stopping()], **LONG)
    assert same_weights(whole, resumed) and again == history
    finished, again = train(tmp_path / "cut", callbacks=[stopping(), At(13)], **LONG)
    assert "a callback had stopped the training" in capsys.readouterr().out
    assert same_weights(whole, finished) and again == history
    with pytest.raises(ValueError, match="epochs 5 there, 6 here.*had stopped it before its end: it goes no further"):
        train(tmp_path / "cut", callbacks=[stopping()], epochs=6)


class Wander(keras.callbacks.Callback):
    """Moves a weight by numbers that depend on everything it remembers."""

    def __init__(self):
        super().__init__()
        self.rng, self.last, self.sums = np.random.default_rng(1), collections.deque(maxlen=3), {"all": np.zeros(2)}
        self.count, self.seen = 0, {0}

    def on_epoch_begin(self, epoch, logs=None):
        self.count = 0  # in a resumed epoch as well, before what it remembers comes back

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1
        self.seen.add(self.count)
        self.last.append(float(self.rng.normal()))
        self.sums["all"] = self.sums["all"] + self.last[-1]
        bias = self.model.dense.bias
        bias.assign_add(
            np.full(1, 1e-3 * (sum(self.last) + self.sums["all"].sum() + self.count + len(self.seen)), np.float32)
        )


@pytest.mark.parametrize("step", [2, 4, 5])
def test_a_callback_of_ones_own_goes_on_to_the_same_weights(step, tmp_path):
    whole, _ = train(tmp_path / "whole", callbacks=[Wander()])
    plain, _ = train(None)
    assert not same_weights(whole, plain)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", callbacks=[Wander(), At(step)])
    wander = Wander()
    resumed, _ = train(tmp_path / "cut", callbacks=[wander])
    assert same_weights(whole, resumed) and wander.last.maxlen == 3


def test_a_step_that_not_every_callback_has_seen_is_not_kept(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, callbacks=[At(3), Wander()], checkpoint_every=2)
    train(tmp_path, callbacks=[Wander()], checkpoint_every=2)
    assert "Resumed at step 2 of 8" in capsys.readouterr().out


def test_the_best_value_of_model_checkpoint_is_not_forgotten(tmp_path):
    def best():
        return keras.callbacks.ModelCheckpoint(
            tmp_path / "best.h5", "loss", save_best_only=True, save_weights_only=True
        )

    noted = []
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", callbacks=[best(), At(6)])
    resumed = best()
    train(tmp_path / "cut", callbacks=[resumed, At(7, lambda model: noted.append(float(resumed.best)))])
    assert np.isfinite(noted).all() and len(noted) == 1


def test_a_callback_that_remembers_something_cannot_be_left_out(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, callbacks=[Wander(), At(3)])
    with pytest.raises(ValueError, match="callback Wander was a part of the training .* Hand one in"):
        train(tmp_path)
    train(tmp_path, callbacks=[Wander()])


class Diary:
    pages = 0


class Writer(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.diary = Diary()


def test_what_cannot_be_kept_is_said_at_once_and_refused_later_and_the_way_out_works(tmp_path, monkeypatch):
    with pytest.warns(UserWarning, match=r"Writer holds what no checkpoint can keep: diary \(Diary\)"):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, callbacks=[Writer(), At(3)])
    with (
        pytest.warns(UserWarning),
        pytest.raises(ValueError, match="Writer holds .*watches_only = True.*anew in another"),
    ):
        train(tmp_path, callbacks=[Writer()])
    monkeypatch.setattr(Writer, "watches_only", True, raising=False)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "another", callbacks=[Writer(), At(3)])
    train(tmp_path / "another", callbacks=[Writer()])


def test_a_resumed_model_trains_on_when_it_is_fitted_again(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "one", callbacks=[At(3)])
    model, _ = train(tmp_path / "one")
    before = model.get_weights()
    _, history = train(None, model)
    assert len(history["loss"]) == 2 and not np.array_equal(before[0], model.get_weights()[0])
    _, history = train(tmp_path / "two", model)
    assert len(history["loss"]) == 2 and max(int(each.name[5:]) for each in (tmp_path / "two").iterdir()) == 8
    assert "_maybe_load_initial_counters_from_ckpt" not in vars(model)
