"""On which devices and machines the command trains."""

import json
import os

TF_CONFIG = '{"cluster": {"worker": ["host0:9000", "host1:9000"]}, "task": {"type": "worker", "index": 0}}'


def strategy_of(name: str):
    """The strategy of ``tf.distribute`` that was asked for: single, mirrored or multiworker."""
    import tensorflow as tf

    if name == "multiworker":
        refuse_wrong_cluster()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.MultiWorkerMirroredStrategy() if name == "multiworker" else tf.distribute.get_strategy()


def refuse_wrong_cluster() -> None:
    """Raise ``ValueError`` unless ``TF_CONFIG``, if it is set, has an address for this machine among the workers."""
    if "TF_CONFIG" not in os.environ:
        return
    try:
        cluster = json.loads(os.environ["TF_CONFIG"])
        cluster["cluster"][cluster["task"]["type"]][int(cluster["task"]["index"])]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"TF_CONFIG does not give the addresses of all machines and the place of this one ({error!r}). It must "
            f"look like this, in single quotes for the shell: '{TF_CONFIG}'"
        ) from error
