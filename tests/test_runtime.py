"""runtime: the budget table, the choice of a budget, seeds, and what importing the package costs."""

import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from course_utils import runtime


def test_every_lesson_has_the_same_entries_at_every_budget():
    for lesson, rows in runtime.BUDGETS.items():
        assert set(rows) == {"smoke", "laptop", "full"}, lesson
        assert len({tuple(row) for row in rows.values()}) == 1, lesson
        for name in rows["smoke"]:
            if name.endswith("_rate"):  # a short training takes larger steps
                continue
            assert rows["smoke"][name] <= rows["full"][name], (lesson, name)


def test_budget_follows_the_environment_then_the_device(monkeypatch):
    monkeypatch.setenv("COURSE_BUDGET", "smoke")
    assert runtime.budget_name() == "smoke"
    monkeypatch.setenv("COURSE_BUDGET", "")
    monkeypatch.setattr(runtime, "gpus", lambda: [])
    assert runtime.budget_name() == "laptop"
    monkeypatch.setattr(runtime, "gpus", lambda: ["A GPU"])
    assert runtime.budget_name() == "full"


def test_a_budget_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setenv("COURSE_BUDGET", "huge")
    with pytest.raises(ValueError, match="'huge'.*smoke, laptop or full"):
        runtime.budget_name()
    with pytest.raises(ValueError, match="'99' has no budget"):
        runtime.start("99")


def test_start_prints_versions_device_and_the_row_and_returns_it(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_BUDGET", "smoke")
    budget = runtime.start("05")
    printed = capsys.readouterr().out
    assert f"tensorflow {tf.__version__}" in printed and "seed: 2013" in printed
    assert f"epochs {budget.epochs}" in printed and budget.name == "smoke"
    assert vars(budget) == {"name": "smoke", **runtime.BUDGETS["05"]["smoke"]}


def test_one_seed_repeats_all_three_generators():
    def draws():
        runtime.set_seed(7)
        return np.random.rand(), float(tf.random.normal([])), __import__("random").random()  # noqa: NPY002

    assert draws() == draws()


def test_the_native_log_is_dropped_unless_the_block_fails(capfd):
    noise = ["sh", "-c", "echo noise >&2"]
    with runtime._without_native_log():
        subprocess.run(noise, check=True)
    assert capfd.readouterr().err == ""
    with pytest.raises(RuntimeError, match="stop"), runtime._without_native_log():
        subprocess.run(noise, check=True)
        raise RuntimeError("stop")
    assert "noise" in capfd.readouterr().err


def test_checkpoints_go_where_the_environment_says_then_to_a_mounted_drive(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_BUDGET", "smoke")
    monkeypatch.delenv("COURSE_CHECKPOINTS", raising=False)
    monkeypatch.setattr(runtime, "DRIVE", tmp_path / "MyDrive")
    assert runtime.checkpoint_folder("06-a") is None
    (tmp_path / "MyDrive").mkdir()
    assert runtime.checkpoint_folder("06-a") == tmp_path / "MyDrive" / "vae-course" / "06-a-smoke"
    monkeypatch.setenv("COURSE_CHECKPOINTS", str(tmp_path / "here"))
    assert runtime.checkpoint_folder("06-a") == tmp_path / "here" / "06-a-smoke"


def test_on_colab_start_offers_the_drive(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(runtime, "DRIVE", tmp_path / "MyDrive")
    runtime.start("06")
    printed = capsys.readouterr().out
    assert "drive.mount('/content/drive')" in printed
    (tmp_path / "MyDrive").mkdir()
    runtime.start("06")
    assert str(tmp_path / "MyDrive" / "vae-course") in capsys.readouterr().out


def test_a_restart_is_asked_for_only_if_a_loaded_package_was_replaced(monkeypatch):
    runtime.start("00")
    monkeypatch.setattr(np, "__version__", "1.0")
    with pytest.raises(RuntimeError, match="while 1.0 is in use here. Restart the kernel"):
        runtime.start("00")
