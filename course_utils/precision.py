"""In which number type the layers compute: float32, bfloat16 or float16. Weights and losses are float32. Lesson 06."""

import contextlib
import time

import tensorflow as tf
import tf_keras as keras

from course_utils import runtime


def fastest() -> str:
    """``"bfloat16"``, ``"float16"`` or ``"float32"``: in which one this machine convolves fastest, by measurement.

    float16 is tried on a GPU only. A half-precision type has to win by a fifth, because it costs digits.
    """
    candidates = [
        "float32",
        *(["float16"] if runtime.gpus() else []),
        *(["bfloat16"] if runtime.has_bfloat16() else []),
    ]
    if len(candidates) == 1:
        return candidates[0]
    best = dict.fromkeys(candidates, float("inf"))
    images, kernel = tf.random.stateless_normal((8, 64, 64, 64), [0, 0]), tf.ones((3, 3, 64, 64))
    convolve = tf.function(lambda images, kernel: tf.nn.conv2d(images, kernel, 1, "SAME"))
    for attempt in range(4):  # the types take turns; the first round builds the programs and is not counted
        for name in candidates:
            arguments = tf.cast(images, name), tf.cast(kernel, name)
            begin = time.perf_counter()
            for _ in range(3):
                float(tf.reduce_max(tf.cast(convolve(*arguments), tf.float32)))  # waits for the result
            if attempt:
                best[name] = min(best[name], time.perf_counter() - begin)
    fastest = min(reversed(candidates), key=best.get)
    return fastest if best[fastest] < best["float32"] / 1.2 else "float32"


@contextlib.contextmanager
def using(choice: str = "auto"):
    """Networks built inside compute in this precision; the block gets its name. Weights and losses stay float32.

    Args:
        choice: ``"float32"``, ``"bfloat16"``, ``"float16"`` (``training.fit`` then scales the loss), or ``"auto"`` for
            the ``fastest`` one.

    Raises:
        ValueError: for another choice.
    """
    if choice not in ("auto", "float32", "bfloat16", "float16"):
        raise ValueError(f"precision.using: '{choice}' is none of auto, float32, bfloat16, float16.")
    name = fastest() if choice == "auto" else choice
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(name if name == "float32" else f"mixed_{name}")
    try:
        yield name
    finally:
        keras.mixed_precision.set_global_policy(before)
