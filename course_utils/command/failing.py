"""What became of an error of TensorFlow: one line."""


def tensorflow_error() -> type[Exception]:
    """The class of all errors of TensorFlow's operations."""
    import tensorflow as tf  # looked up when something has failed, and then it is here already

    return tf.errors.OpError


def in_one_line(error: Exception) -> str:
    """The message of an error of TensorFlow, without the code that it quotes in between."""
    lines = [line for line in str(error).splitlines() if not line.startswith((" ", "\t"))]
    return f"TensorFlow stopped with {type(error).__name__}: {' '.join(' '.join(lines).split())}"
