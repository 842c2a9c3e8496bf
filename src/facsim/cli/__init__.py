"""The command line: one verb per stage. Thin: heavy imports happen inside the verbs.

A file of verbs adds them to the application when it is imported.
"""

from __future__ import annotations

from facsim.cli import begin, compress, farm, geant4, judge, models, several, stages
from facsim.cli.app import app

__all__ = ["app", "begin", "compress", "farm", "geant4", "judge", "main", "models", "several", "stages"]

SHOWN_FIRST = ("demo", "init", "run", "simulate", "prepare", "train", "sample", "evaluate", "apply", "export", "report")
"""In the help, before all others."""


def _place(name: str | None) -> int:
    return SHOWN_FIRST.index(name) if name in SHOWN_FIRST else len(SHOWN_FIRST)


app.registered_commands.sort(key=lambda command: _place(command.name or getattr(command.callback, "__name__", "")))


def main() -> None:
    """Entry point of the command `facsim`."""
    app()
