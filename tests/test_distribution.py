"""tf.distribute: two devices, and two workers on the loopback address, train as one device does."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).parent / "distributed.py"


def start(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"} | environment,
    )


def result(process):
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    (line,) = [line for line in out.splitlines() if line.startswith("RESULT")]
    return json.loads(line[7:])


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return {
        "adam": result(start("single", "adam", tmp_path_factory.mktemp("single")))["history"],
        "sgd": result(start("single", "sgd"))["history"],
    }


def assert_same_losses(history, expected):
    """Within 1 part in 2,000: sums over the batch are taken in another order, and Adam magnifies it."""
    for name in ("loss", "reconstruction", "kl"):
        np.testing.assert_allclose(history[name], expected[name], rtol=5e-4, err_msg=name)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_two_devices_train_as_one_does(optimizer, alone, tmp_path):
    two = result(start("mirrored", optimizer, *([tmp_path] if optimizer == "adam" else [])))
    assert two["replicas"] == 2
    assert_same_losses(two["history"], alone[optimizer])


def test_the_comparison_would_notice_gradients_that_are_added_up(alone):
    """SGD with twice the step, as when two replicas add their gradients, ends somewhere else."""
    fall = alone["sgd"]["loss"][0] - alone["sgd"]["loss"][-1]
    assert fall > 20 * 5e-4 * abs(alone["sgd"]["loss"][-1])


def test_two_workers_on_the_loopback_address_train_as_one_device_does(alone, tmp_path):
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    workers = [
        start("multiworker", "adam", tmp_path, TF_CONFIG=json.dumps({"cluster": cluster, "task": task}))
        for task in ({"type": "worker", "index": 0}, {"type": "worker", "index": 1})
    ]
    for worker in [result(worker) for worker in workers]:
        assert worker["replicas"] == 2
        assert_same_losses(worker["history"], alone["adam"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000022", "step-00000024"]


def test_a_training_on_two_devices_that_was_killed_goes_on_to_the_same_losses(alone, tmp_path):
    process = start("mirrored", "adam", tmp_path)
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("step-00000008")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    two = result(start("mirrored", "adam", tmp_path))
    assert_same_losses(two["history"], alone["adam"])
