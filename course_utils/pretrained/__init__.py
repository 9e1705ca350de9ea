"""Weights that come with the course, each with a card that says what they are, where they come from and how good.

================  ======================================================================================
``loading.py``    ``load`` and ``card``: a VAE with its weights, and what there is to say about it
``codes.py``      ``codes``: where the avatars that the model was trained on, and those held out, lie
``packing.py``    the files: NumPy arrays of 16 bits, with a checksum each; ``tools/pretrain.py`` writes them
================  ======================================================================================

Nothing is fetched: the files are part of the package.
"""

from course_utils.pretrained.codes import AvatarCodes, codes
from course_utils.pretrained.loading import NAMES, card, load

__all__ = ["NAMES", "AvatarCodes", "card", "codes", "load"]
