"""Sphinx settings of the static site: `make site` gathers the pages (tools/site.py) and builds them with this file.

Nothing is executed here: notebooks come as executed copies. Nothing is fetched by the built pages either: formulae are
MathML, the theme's fonts and scripts are its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

import mer_kit

project = "mer-kit"
author = "mer-kit contributors"
version = release = mer_kit.__version__
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "mathml",
    "kit_pages",
]
root_doc = "index"
exclude_patterns = ["figures"]
smartquotes = False
default_role = (
    "py:obj"  # `name` in a docstring is code, and a link where it names something of the kit
)
# Notebook 03 of other folds stands in no table of contents: the first fold's page links to it.
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type", "toc.not_included"]

# ---- Markdown and notebooks ----
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # its default loads scripts from a network
nb_merge_streams = True
nb_code_prompt_show = "Show the {type}"
nb_code_prompt_hide = "Hide the {type}"
myst_enable_extensions = ["dollarmath"]
myst_dmath_double_inline = False
myst_heading_anchors = 4
html_math_renderer = "mathml"

# ---- API reference ----
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_display_short_literal_types = True
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 88
add_module_names = False

# ---- pages ----
html_theme = "furo"
html_title = "mer-kit"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_logo = html_favicon = "_static/mer-kit.svg"
html_copy_source = html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_show_search_summary = False  # it fetches pages, which browsers refuse in a folder; extensions/kit_pages.py has its own
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#2d5fd0",
        "color-brand-content": "#2d5fd0",
        "color-brand-visited": "#6d3f9c",
    },
    "dark_css_variables": {
        "color-brand-primary": "#8ab0ff",
        "color-brand-content": "#8ab0ff",
        "color-brand-visited": "#c9a3e8",
    },
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "github-dark"
