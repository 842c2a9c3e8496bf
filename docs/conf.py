"""Configuration of the documentation."""

import re
from pathlib import Path

project = "facsim"
author = "facsim developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 2
html_theme = "furo"
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
autodoc_default_options = {"exclude-members": "model_config, training", "show-inheritance": True}
default_role = "code"
add_module_names = False
python_use_unqualified_type_names = True


def _name_others(app, docname, source):
    """In the index, put the pages that none of its tables of contents names where it says OTHERS."""
    if docname == "index":
        named = {"index", *re.findall(r"^[\w-]+$", source[0], re.MULTILINE)}
        pages = sorted(path.stem for path in Path(app.srcdir).glob("*.md"))
        source[0] = source[0].replace("OTHERS", "\n".join(page for page in pages if page not in named))


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", _name_others)
