"""Settings of the site; what is special to it is in building/."""

import sys
from pathlib import Path

import isthmus

ALIASES = ("ArrayLike", "Elementwise", "Precision", "Progress", "Rate", "StageProgress", "StepSize")
"""Types that signatures name, and don't spell out."""

sys.path.insert(0, str(Path(__file__).parent))

from building import notebooks  # noqa: E402

project = "Isthmus"
author = "The Isthmus developers"
version = release = isthmus.__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "building.extension",
]
exclude_patterns = ["_build", "building"]
highlight_language = "none"
default_role = "literal"

myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]

nb_execution_mode = "cache"
nb_execution_cache_path = str(notebooks.cache())
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True
nb_ipywidgets_js = {}
nb_number_source_lines = False

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {name: name for name in ALIASES}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_use_rtype = False
python_maximum_signature_line_length = 90
add_module_names = False
toc_object_entries_show_parents = "hide"

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"Isthmus {release}"
html_static_path = ["static"]
html_search_scorer = str(Path(__file__).parent / "static" / "scorer.js")
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
