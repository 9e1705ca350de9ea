"""The helper package of the course on variational autoencoders.

One module is one concept. ``import course_utils`` alone loads none of them, so it costs nothing;
import the module you need: ``from course_utils import runtime, data``.
"""
