"""What ``python -m course_utils.train`` does, step by step. ``train.py`` is its door; ``judge.py`` shares its manners.

================  ==============================================================
``options.py``    what the command takes
``beginning.py``  what can be known before TensorFlow starts
``running.py``    images, networks, training, and what is left behind
``cluster.py``    on which devices and machines it trains
``peers.py``      several machines that wait for each other
``failing.py``    errors of TensorFlow in one line
================  ==============================================================
"""

from course_utils.command.failing import in_one_line, tensorflow_error
from course_utils.command.options import parser, positive, side
from course_utils.command.running import run

__all__ = ["in_one_line", "parser", "positive", "run", "side", "tensorflow_error"]
