"""Images drawn in code, for whoever has neither a network nor the data: garments and digits, 28x28, ten classes each,
and avatars, 256x256, with the 18 factors each follows from.

They are not Fashion-MNIST, MNIST and Cartoon Set, and every figure made from them says so (``plots.label_source``).

=====================  ================================================================
``sets.py``            what is imported from here: images with their labels or factors
``garment_shapes.py``  the outline of each kind of garment
``digit_strokes.py``   the strokes of each digit
``avatar_parts.py``    the factors of an avatar, and the picture that follows from them
``faces.py``           head, eyes, brows, nose, mouth
``beards_glasses.py``  facial hair and glasses
``hair.py``            short hair, and what hair is made of
``long_hair.py``       long hair, and the list of styles
``masks.py``           shapes with soft edges
=====================  ================================================================
"""

from course_utils.drawn.sets import (
    AVATAR_FACTORS,
    AVATAR_KINDS,
    DIGITS,
    GARMENTS,
    avatar,
    avatar_factors,
    avatars,
    digits,
    garments,
)

__all__ = [
    "AVATAR_FACTORS",
    "AVATAR_KINDS",
    "DIGITS",
    "GARMENTS",
    "avatar",
    "avatar_factors",
    "avatars",
    "digits",
    "garments",
]
