"""On which devices and machines the command trains."""

import json
import os
from typing import NamedTuple

TF_CONFIG = '{"cluster": {"worker": ["host0:9000", "host1:9000"]}, "task": {"type": "worker", "index": 0}}'


class Cluster(NamedTuple):
    """The machines of a training: their addresses by name, and which one this is."""

    addresses: dict[str, str]
    mine: str

    @property
    def others(self) -> dict[str, str]:
        return {name: address for name, address in self.addresses.items() if name != self.mine}

    @property
    def keeps_results(self) -> bool:
        """Whether this machine is the one that writes files: the chief, or the first worker without one."""
        return self.mine == ("chief 0" if "chief 0" in self.addresses else "worker 0")


def cluster_of_environment() -> Cluster | None:
    """The cluster that ``TF_CONFIG`` describes; None if it is not set.

    Raises:
        ValueError: for one that is malformed, with what is wrong and an example.
    """
    if "TF_CONFIG" not in os.environ:
        return None
    try:
        return _read(json.loads(os.environ["TF_CONFIG"]))
    except json.JSONDecodeError as error:
        reason = f"it is no JSON ({error.msg.lower()})"
    except Malformed as error:
        reason = str(error)
    raise ValueError(
        f"TF_CONFIG does not give the addresses of all machines and the place of this one: {reason}. It must look like "
        f"this, in single quotes for the shell: '{TF_CONFIG}'"
    )


class Malformed(ValueError):
    """What is wrong with a description of a cluster."""


def _read(config) -> Cluster:
    if not isinstance(config, dict) or not isinstance(config.get("cluster"), dict):
        raise Malformed('there is no "cluster" with addresses')
    addresses: dict[str, str] = {}
    for kind, workers in config["cluster"].items():
        if kind not in ("worker", "chief"):
            raise Malformed(f'a cluster has machines called "worker" and perhaps one "chief", not "{kind}"')
        if not isinstance(workers, list) or not workers:
            raise Malformed(f'the addresses of "{kind}" must be a list, not {json.dumps(workers)}')
        for index, address in enumerate(workers):
            _check_address(address)
            addresses[f"{kind} {index}"] = address
    if len(set(addresses.values())) < len(addresses):
        raise Malformed("two machines have the same address")
    if "chief 1" in addresses:
        raise Malformed("there is more than one chief")
    task = config.get("task")
    if not isinstance(task, dict):
        raise Malformed('there is no "task" that says which machine this is')
    kind, index = task.get("type"), task.get("index")
    if isinstance(index, str) and index.isdigit():
        index = int(index)
    if isinstance(index, bool) or f"{kind} {index}" not in addresses:
        known = ", ".join(addresses)
        raise Malformed(f"this machine is said to be {kind} {json.dumps(index)}, and there are: {known}")
    return Cluster(addresses, f"{kind} {index}")


def _check_address(address) -> None:
    host, _, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise Malformed(f"{json.dumps(address)} is no address: a host and a port, such as host0:9000")


def strategy_of(name: str):
    """The strategy of ``tf.distribute`` that was asked for: single, mirrored or multiworker."""
    import tensorflow as tf

    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.MultiWorkerMirroredStrategy() if name == "multiworker" else tf.distribute.get_strategy()
