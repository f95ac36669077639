"""The site: Sphinx, the PyData theme, Markdown pages by MyST, gallery scripts that are executed.

Nothing is fetched while it is built or read: no inventory of other projects, no script from elsewhere.
"""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent)]

from generated import write_pages  # noqa: E402

import speechgmm  # noqa: E402

write_pages(DOCS)

project = "speechgmm"
author = "The speechgmm authors"
copyright = f"{author}, BSD-3-Clause"
version = release = speechgmm.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "pages",
    "signatures",
]
exclude_patterns = ["_ext", "_templates"]
nitpicky = True
highlight_language = "none"

myst_enable_extensions = ["colon_fence", "deflist", "html_image"]
myst_heading_anchors = 4

autosummary_generate = True
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
# Made by scikit-learn in every estimator, with links to its own pages.
_ROUTED = ("fit", "score", "predict", "predict_proba", "predict_log_proba", "decision_function")
_MADE = (*(f"set_{method}_request" for method in _ROUTED), "set_joint_log_likelihoods_request")
autodoc_default_options = {"exclude-members": ", ".join(_MADE)}
napoleon_use_rtype = False
python_maximum_signature_line_length = 100
# Types of signatures: those of NumPy and the standard library have their pages elsewhere.
nitpick_ignore_regex = [("py:(class|obj|data)", ".*"), ("py:exc", "NotFittedError")]
templates_path = ["_templates"]

html_theme = "pydata_sphinx_theme"
html_title = f"speechgmm {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 7,
    "logo": {"text": "speechgmm"},
}
html_sidebars = {"index": []}

# The scripts of tutorials/ are executed; their pages are made in gallery/, which is not kept.
exclude_patterns.append("tutorials")
suppress_warnings = ["config.cache"]  # an order of the gallery is a function, which Sphinx cannot keep
sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,
    "remove_config_comments": True,
}
