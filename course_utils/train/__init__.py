"""Train the avatar VAE of lesson 06 from a terminal: python -m course_utils.train --help

==============  =========================================================
``options.py``  what the command takes
``cluster.py``  on which devices and machines it trains
``running.py``  images, networks, training, and what is left behind
==============  =========================================================
"""

import sys

from course_utils.train.options import parser
from course_utils.train.running import run


def _tensorflow_error() -> type[Exception]:
    import tensorflow as tf  # looked up when something has failed, and then it is here already

    return tf.errors.OpError


def _in_one_line(error: Exception) -> str:
    """The message of an error of TensorFlow, without the code that it quotes in between."""
    lines = [line for line in str(error).splitlines() if not line.startswith((" ", "\t"))]
    return f"TensorFlow stopped with {type(error).__name__}: {' '.join(' '.join(lines).split())}"


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit code: 0, 1 for a failure with a message, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    try:
        run(options)
    except KeyboardInterrupt:
        print(f"\nInterrupted. What was done is in {options.resume}; run the same command to go on.", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        print(f"{parser().prog}: {error}", file=sys.stderr)
        return 1
    except _tensorflow_error() as error:
        print(f"{parser().prog}: {_in_one_line(error)}", file=sys.stderr)
        return 1
    return 0
