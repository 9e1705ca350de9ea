"""What ``python -m course_utils.train`` does, step by step. ``train.py`` is its door.

================  ==============================================================
``options.py``    what the command takes
``beginning.py``  what can be known before TensorFlow starts
``running.py``    images, networks, training, and what is left behind
``cluster.py``    on which devices and machines it trains
``peers.py``      several machines that wait for each other
================  ==============================================================
"""

from course_utils.command.options import parser
from course_utils.command.running import run

__all__ = ["parser", "run"]
