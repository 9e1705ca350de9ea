"""The explorer: a latent plane under the reader's finger, in a notebook or in one HTML file.

================  ====================================================================================
``layers.py``     a network as a description
``packing.py``    arrays as text
``payload.py``    what the page knows of a model and its images
``page.py``       ``plane``, ``save_html``, and the figure where no widget can be
``layers.js``     the same layers in plain JavaScript
``engine.js``     the worker that computes them
``pictures.js``   numbers to pictures and back
``view.js``       the plane on its canvas
``look.js``       what the plane shows, light or dark, narrow or wide
``hand.js``       where the point is: hand, keys, sliders
``pad.js``        a pad to draw on
``given.js``      an image to its posterior
``explorer.js``   all of it together
================  ====================================================================================

Python hands over text, and the browser computes: nothing is asked of the kernel afterwards.
"""

from course_utils.explorer.page import plane, save_html

__all__ = ["plane", "save_html"]
