"""The explorer: a latent plane under the reader's finger, in a notebook or in one HTML file.

===============  ======================================================================================
``layers.py``    a network as a description, and its weights as text
``payload.py``   what the page knows of a model and its images
``page.py``      ``plane``, ``save_html``, and the figure where no widget can be
``layers.js``    the same layers in plain JavaScript
``view.js``      the plane on its canvas
``explorer.js``  the page: hand, keys, sliders, an image to its posterior; and the worker that computes
===============  ======================================================================================

Python hands over text, and the browser computes: nothing is asked of the kernel afterwards.
"""

from course_utils.explorer.page import plane, save_html

__all__ = ["plane", "save_html"]
