"""Checkpoints: a training that was cut off goes on, to the same weights; another one is refused. Lesson 06.

``training.fit`` is what uses this room.

======================  ===========================================================================================
``going_on.py``         where a training goes on, and what keeps its checkpoints meanwhile
``keeper.py``           writes checkpoints during a training, and reads them back
``records.py``          the folder: which checkpoints are there, and what is written in them
``identity.py``         which training it is: what must be the same, and what differs, in words
``probe.py``            what the networks answer to a probe: a part of the identity
``code.py``             fingerprints of functions that a user wrote: another part
``callback_states.py``  what callbacks remember
======================  ===========================================================================================
"""

from course_utils.checkpoints.going_on import kept
from course_utils.checkpoints.records import complete, recorded_settings

__all__ = ["complete", "kept", "recorded_settings"]
