"""Sphinx's configuration of the course's site. `python docs/make_site.py` puts the pages together, then runs Sphinx."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT)]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

project = "tlcourse"
author = "the authors of tlcourse"
version = release = re.search(r'^version = "(.+)"', PYPROJECT, re.M)[1]
repository = re.search(r'^repository = "(.*)"', PYPROJECT, re.M)[
    1
]  # empty until it is verified
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
]

# Lessons are shown as they were run and stored: building the site runs nothing.
nb_execution_mode = "off"
nb_custom_formats = {".ipynb": ["lessons.read", {}, False]}
nb_ipywidgets_js = {}  # widgets' scripts would come from other hosts; lessons store each widget's static twin
myst_enable_extensions = ["dollarmath", "attrs_inline", "deflist"]
myst_heading_anchors = 4
# `make site` copies the formulas' script out of a locked package, so that no page asks another host for it.
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {
    "options": {"enableMenu": False}
}  # the menu would load further files

default_role = "code"  # docstrings write `code` as Markdown does
toc_object_entries = False  # each has a heading of its own
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring, napoleon_use_ivar = False, True
# Types of other packages cannot be looked up without the internet; what is ours has to be found.
nitpick_ignore_regex = [(r"py:.*", r"(?!tlcourse\.).*"), (r"py:.*", r".*\._\w+")]
# Signatures name these, which no learner makes or looks into: they have no place on the page of calls.
INSIDE = """
    datasets.same_pictures.Pair features.engine.Engine features.resizing.InputSize
    models.bert.Shape
    models.wordpiece.Tokenizer training.batches.Batches training.freezing.FreezeTable
"""
nitpick_ignore = [("py:class", f"tlcourse.{name}") for name in INSIDE.split()]

html_theme = "sphinx_book_theme"
html_title = "tlcourse: transfer learning on the machine you have"
html_short_title = "tlcourse"
html_static_path = [str(HERE / "_static")]
html_favicon = str(HERE / "_static" / "favicon.svg")
templates_path = [str(HERE / "_templates")]
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_use_index = html_domain_indices = False  # the page of calls is the index
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sphinx = False
html_copy_source = True
html_sourcelink_suffix = ""
html_last_updated_fmt = None
html_theme_options = {
    "repository_url": repository,
    "repository_branch": "main",
    "path_to_docs": "",  # pages lie in the site as their notebooks lie in the repository
    "use_repository_button": bool(repository),
    "use_download_button": True,
    "use_fullscreen_button": False,
    "launch_buttons": {
        "binderhub_url": "https://mybinder.org",
        "colab_url": "https://colab.research.google.com",
        "notebook_interface": "jupyterlab",
    }
    if repository
    else {},
    "logo": {"text": "tlcourse"},
    "navbar_persistent": [],  # the search stands in the sidebar already
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {
    "**": ["front-page.html", "search-button-field.html", "sbt-sidebar-nav.html"]
}


def setup(app):
    app.connect("autodoc-process-docstring", as_restructured_text)
    app.connect("autodoc-skip-member", skip_what_is_not_ours)


def skip_what_is_not_ours(app, what, name, value, skip, options) -> bool | None:
    """Matplotlib writes a `set` into every subclass of its own."""
    return (
        True
        if not (getattr(value, "__module__", None) or "tlcourse").startswith("tlcourse")
        else None
    )


def as_restructured_text(app, what, name, value, options, lines: list[str]) -> None:
    """Docstrings read like Markdown: `Split`s, and code that is only indented. reStructuredText wants marks there."""
    text = "\n".join(lines)
    text = re.sub(r"(?<!`)(`\w[^`\n]*`)(?=\w)", r"\1\\ ", text)
    text = re.sub(r"(?m)^([^ :.*-].*(?<!::))\n\n(?= {4}\S)", r"\1\n\n::\n\n", text)
    lines[:] = text.split("\n")
