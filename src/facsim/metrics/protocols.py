"""Names of protocols that several metrics have in common."""

JETNET = "jetnet-0.2.5"
"""The package jetnet 0.2.5 (arXiv 2211.10295), defects included."""

CHALLENGE = "calochallenge-2022"
"""The CaloChallenge's scorer (arXiv 2410.21611), defects included."""

STRICT = "strict"
"""facsim's own: nothing outside a range lost, no floor of finite samples, robust, with errors that cover."""
