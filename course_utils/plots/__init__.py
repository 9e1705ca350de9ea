"""Figures of the course: readable in a lecture hall, colour-blind-safe, and honest about what they were given.

Each function draws all that it was given, or raises a ValueError that says what is wrong with it. Importing this room
sets the course's matplotlib style. Nothing here knows how a model is trained.

===============  ==========================================================
``style.py``     colours, type, and the note under images drawn in code
``images.py``    grids, rows and mosaics of images
``codes.py``     the latent plane
``numbers.py``   curves and histograms
``diagrams.py``  a network drawn as layers
===============  ==========================================================
"""

from course_utils.plots.codes import latent_plane
from course_utils.plots.diagrams import autoencoder_diagram, vae_diagram
from course_utils.plots.images import compare_rows, mosaic, show_images
from course_utils.plots.numbers import compare_histograms, curves
from course_utils.plots.style import BLUE, COLOURS, DARK, GREEN, MARKERS, ORANGE, label_source, source_note

__all__ = [
    "BLUE",
    "COLOURS",
    "DARK",
    "GREEN",
    "MARKERS",
    "ORANGE",
    "autoencoder_diagram",
    "compare_histograms",
    "compare_rows",
    "curves",
    "label_source",
    "latent_plane",
    "mosaic",
    "show_images",
    "source_note",
    "vae_diagram",
]
