"""The site: ``sphinx-build -n -W --keep-going docs build/site``, over the installed package."""

import sklearn_cirrus

project = "sklearn_cirrus"
author = "The sklearn_cirrus developers"
copyright = "the sklearn_cirrus developers"  # noqa: A001 (Sphinx's name for it)
version = release = sklearn_cirrus.__version__

extensions = [
    "myst_nb",  # Markdown too
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinxarg.ext",
]
root_doc = "index"
html_theme = "furo"
html_title = f"sklearn_cirrus {release}"

# The notebooks (a link to examples/notebooks) are run by the build, which shows what comes out.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_execution_show_tb = True

myst_heading_anchors = 3  # links to headings, as on other sites that show Markdown

autodoc_member_order = "bysource"
# What scikit-learn puts into every estimator; its texts refer to its own manual.
autodoc_default_options = {
    "exclude-members": "set_fit_request, set_partial_fit_request, set_score_request",
}
autosummary_generate = False  # tables of links only: the pages are in docs/api
numpydoc_show_class_members = False  # autodoc lists them, each with its text
# Docstrings are held to numpydoc's own checks, all but these: an extended summary (ES01), an
# example (EX01) and a "See Also" (SA01) everywhere, a sentence where the type says it all (PR07,
# RT03), and what a context manager yields (YD01).
numpydoc_validation_checks = {"all", "ES01", "EX01", "PR07", "RT03", "SA01", "YD01"}

# Records say what each field is under "Attributes", and numpydoc would have it twice. What the
# emulator's methods do is said in a sentence each.
numpydoc_validation_exclude = {
    r"\.(StageUsage|Usage|Invocation|SlotInfo|FaultPlan|Deployment|Price)$",
    r"\.prices\.regions$",  # says what it returns in its one sentence
    r"\.emulator\.",
}

suppress_warnings = ["myst.domains"]  # sphinx-argparse has no part in links of Markdown

# Classes of others are named in docstrings; their inventories are not read, so that the build
# needs no network.
nitpick_ignore_regex = [
    ("py:.*", r"(sklearn|matplotlib|pathlib|collections\.abc)\..*"),
    # Properties that a class has among its attributes; types cut in two.
    ("py:(obj|attr)", r"(shape|columns|dtypes|classes|y|skipped_rows|faults)"),
    ("py:class", r"(sklearn_cirrus\.deploy\.\w+\.)?(Options|Outcome)"),  # of deploy: private
    ("py:class", r"(tuple\[float|sklearn_cirrus\.emulator\._faults\.RunFaults)"),
]
