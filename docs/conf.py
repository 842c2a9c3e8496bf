"""Configuration of the documentation."""

project = "facsim"
author = "facsim developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 2
html_theme = "furo"
exclude_patterns = ["_build"]
