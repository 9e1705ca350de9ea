"""The border: what enters is looked at once, before anything broadcasts, and what leaves is whole or not there.

===============  ============================================================================
``pixels.py``    images: type, range and number of axes
``shapes.py``    encoder, decoder, prior and images: do they fit each other
``drawable.py``  what figures and films are given
``files.py``     files that are whole under their name, or not there
===============  ============================================================================

The rooms above take what they need from these files.
"""

__all__ = []
