"""Configuration of the documentation."""

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
suppress_warnings = ["toc.empty_glob"]  # pages that an installed part brings, named by pattern
