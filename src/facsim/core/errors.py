"""Errors a user can mend: one sentence that says what was expected, what came, where, and what to do."""

from __future__ import annotations


class FacsimError(Exception):
    """A problem with a file, a configuration, an argument or the machine, told in one sentence.

    The command line prints the message alone, without a traceback, and exits with status 1.
    """


class MissingExtraError(FacsimError):
    """An optional part of facsim is not installed."""

    def __init__(self, extra: str, package: str) -> None:
        super().__init__(
            f"this needs the package '{package}', which is not installed: run pip install 'facsim[{extra}]'."
        )
