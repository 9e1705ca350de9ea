"""Sphinx's settings for the site: what tools/site.py puts together becomes pages that need nothing from elsewhere."""

import re

from docutils import nodes
from latex2mathml.converter import convert

project = "Variational autoencoders, properly"
author = copyright = "the authors of the course"
html_title = "The VAE course"
language = "en"

extensions = ["myst_nb", "sphinx_copybutton"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["README.md", "extra", "doctrees"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the pages show the outputs that the notebooks were stored with
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
nb_number_source_lines = False
copybutton_selector = "div.highlight pre"
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_static_path = ["static"]
html_extra_path = ["extra"]
html_css_files = ["site.css"]
html_favicon = "static/icon.svg"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"top_of_page_buttons": [], "sidebar_hide_name": False}
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"

# Formulas are MathML, which browsers draw by themselves, in the font that the decks have too (tools/site.py adds it).
html_math_renderer = "mathml"
FUNCTION = r"\\(?:log|ln|exp|det|min|max)(?![A-Za-z_^])"


def mathml(tex: str, display: str) -> str:
    """A formula as MathML, with the thin spaces that TeX puts around the names of functions."""
    tex = re.sub(rf"({FUNCTION})\s*(?![\s({{\[]|\\left|\\big|\\Big)", r"\1\\,", tex)
    tex = re.sub(rf"(?<=[\w)}}\]])\s*({FUNCTION})", r"\\,\1", tex)
    return convert(tex, display=display)


def inline_formula(writer, node: nodes.math) -> None:
    """A formula in a line."""
    writer.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def block_formula(writer, node: nodes.math_block) -> None:
    """A formula on a line of its own, which scrolls where the page is narrow."""
    writer.body.append(f'<div class="formula" tabindex="0">{mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def setup(app) -> None:
    app.add_html_math_renderer("mathml", (inline_formula, None), (block_formula, None))
