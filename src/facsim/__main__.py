"""`python -m facsim` is the command `facsim`."""

from facsim.cli import main

main()
