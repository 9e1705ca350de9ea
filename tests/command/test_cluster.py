"""TF_CONFIG, and machines that wait for each other: what is wrong and who is missing is said, and all waits end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from course_utils.command import cluster, options, peers

TWO = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 0}}


@pytest.mark.parametrize(
    "config, words",
    [
        ("", "it is no JSON"),
        ("{cluster: {worker: [a:1]}}", "it is no JSON"),
        ("[]", 'there is no "cluster"'),
        ("{}", 'there is no "cluster"'),
        ({"cluster": {"worker": "a:1,b:2"}}, 'addresses of "worker" must be a list, not "a:1,b:2"'),
        ({"cluster": {"worker": []}}, "must be a list"),
        ({"cluster": {"worker": {"0": "a:1"}}}, "must be a list"),
        ({"cluster": {"worker": ["a"]}}, '"a" is no address'),
        ({"cluster": {"worker": ["a:port"]}}, '"a:port" is no address'),
        ({"cluster": {"worker": ["a:99999"]}}, '"a:99999" is no address'),
        ({"cluster": {"worker": [7]}}, "7 is no address"),
        ({"cluster": {"worker": ["a:1", "a:1"]}}, "the same address"),
        ({"cluster": {"ps": ["a:1"]}}, 'not "ps"'),
        ({"cluster": {"chief": ["a:1", "b:1"]}}, "more than one chief"),
        ({"task": None}, 'there is no "task"'),
        ({"task": {"type": "boss", "index": 0}}, "said to be boss 0, and there are: worker 0, worker 1"),
        ({"task": {"type": "worker", "index": 2}}, "said to be worker 2"),
        ({"task": {"type": "worker", "index": "first"}}, 'said to be worker "first"'),
        ({"task": {"type": "worker", "index": True}}, "said to be worker true"),
        ({"task": {"type": "worker"}}, "said to be worker null"),
    ],
)
def test_a_wrong_cluster_is_told_by_what_is_wrong_and_shown_a_right_one(config, words, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config if isinstance(config, str) else json.dumps(TWO | config))
    with pytest.raises(ValueError, match="TF_CONFIG does not give the addresses") as told:
        cluster.cluster_of_environment()
    assert words in str(told.value) and cluster.TF_CONFIG in str(told.value)


def test_a_right_one_is_read(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", cluster.TF_CONFIG)
    found = cluster.cluster_of_environment()
    assert found.keeps_results and found.others == {"worker 1": "host1:9000"} and cluster.TF_CONFIG in options.EPILOG
    monkeypatch.setenv("TF_CONFIG", json.dumps(TWO | {"task": {"type": "worker", "index": "1"}}))
    assert not cluster.cluster_of_environment().keeps_results
    monkeypatch.delenv("TF_CONFIG")
    assert cluster.cluster_of_environment() is None


@pytest.fixture
def peer():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def pair(port):
    return cluster.Cluster({"worker 0": "127.0.0.1:1", "worker 1": f"127.0.0.1:{port}"}, "worker 0")


def test_whom_it_waits_for_is_said_and_who_has_gone(peer, capsys):
    port = peer.getsockname()[1]
    peer.close()
    watch = peers.Watch(pair(port), patience=30)
    assert watch.look(0) is None and watch.look(1000) is None, "for one that was never there it waits on"
    printed = capsys.readouterr().out
    assert printed.count(f"Waiting for worker 1 at 127.0.0.1:{port}: start the same line there") == 1
    with socket.create_server(("127.0.0.1", port)):
        assert watch.look(1001) is None
    assert "All machines are there." in capsys.readouterr().out
    assert watch.look(1002) is None and "is gone; waiting 30 seconds" in capsys.readouterr().out
    assert watch.look(1031) is None
    assert "worker 1 at 127.0.0.1" in (reason := watch.look(1032)) and "Start the same line on all machines" in reason


PROGRAM = """
import ctypes, sys
from course_utils.command import cluster, peers
two = cluster.Cluster({"worker 0": "127.0.0.1:1", "worker 1": "127.0.0.1:" + sys.argv[1]}, "worker 0")
with peers.watched(two, every=0.1, patience=0.3, grace=0.3):
    mutex, lock, told = ctypes.create_string_buffer(128), ctypes.CDLL(None).pthread_mutex_lock, False
    while True:  # as in a wait of TensorFlow: nothing in this thread answers a signal
        try:
            if not told:  # in here, since a signal may come as soon as this is read
                told = True
                print("deaf", flush=True)
            lock(mutex)
        except KeyboardInterrupt:
            pass
"""


def deaf(port):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "deaf\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_waits_for_others_ends_on_signals(number):
    process = deaf(1)
    os.kill(process.pid, number)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number and "the training goes on from its last checkpoint" in errors


def test_a_process_whose_peer_is_gone_ends(peer):
    process = deaf(peer.getsockname()[1])
    begin = time.monotonic()
    while "All machines are there." not in process.stdout.readline() and time.monotonic() - begin < 60:
        pass
    peer.close()
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "is gone" in out and "worker 1 at 127.0.0.1" in errors and "ends" in errors
