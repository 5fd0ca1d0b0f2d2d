"""The site: ``sphinx-build -n -W --keep-going docs build/site``, over the installed package."""

import sklearn_cirrus

project = "sklearn_cirrus"
author = "The sklearn_cirrus developers"
copyright = "the sklearn_cirrus developers"  # noqa: A001 (Sphinx's name for it)
version = release = sklearn_cirrus.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinxarg.ext",
]
root_doc = "index"
html_theme = "furo"
html_title = f"sklearn_cirrus {release}"

myst_heading_anchors = 3  # links to headings, as on other sites that show Markdown

autodoc_member_order = "bysource"
# What scikit-learn puts into every estimator; its texts refer to its own manual.
autodoc_default_options = {
    "exclude-members": "set_fit_request, set_partial_fit_request, set_score_request",
}
autosummary_generate = False  # tables of links only: the pages are in docs/api
numpydoc_show_class_members = False  # autodoc lists them, each with its text
# Docstrings are held to numpydoc's own checks: the build says what is missing. Left out are rules
# of form that are not this project's: ES01 (every docstring has an extended summary), EX01 and
# SA01 (examples and "See Also" everywhere), RT03 and PR07 (a sentence for each type that says it
# all), GL01 and GL08 (first line on a line of its own; private and inherited members).
numpydoc_validation_checks = {
    "all", "ES01", "EX01", "GL01", "GL08", "PR07", "RT03", "SA01", "YD01",
}  # fmt: skip

suppress_warnings = ["myst.domains"]  # sphinx-argparse has no part in links of Markdown

# scikit-learn's classes are named in docstrings; its inventory is not read, so that the build
# needs no network.
nitpick_ignore_regex = [("py:.*", r"sklearn\..*")]
