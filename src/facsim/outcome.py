"""How a command ends: its result for a person or as JSON, or one sentence and an exit status."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from facsim.core.errors import FacsimError

Give = Callable[[dict[str, Any], Callable[[dict[str, Any]], None]], None]
"""Takes a result, and what shows it to a person."""


@contextmanager
def told_plainly(resumes: bool = True) -> Iterator[None]:
    """Turn what a user can mend into one sentence and an exit status.

    Args:
        resumes: whether the same command goes on after an interruption where it was.
    """
    try:
        yield
    except FacsimError as error:
        typer.echo(f"facsim: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        again = (
            "run the same command again to resume"
            if resumes
            else "nothing half-made is left, and the same command begins anew"
        )
        typer.echo(f"facsim: interrupted; {again}.", err=True)
        raise typer.Exit(130) from None


@contextmanager
def giving(as_json: bool) -> Iterator[Give]:
    """Give a function for the result: JSON on standard output, or shown to a person.

    With JSON, whatever else writes to standard output meanwhile (also C libraries and child processes) is sent to
    standard error.
    """
    if not as_json:
        yield lambda data, show: show(data)
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    results: list[dict[str, Any]] = []
    try:
        yield lambda data, show: results.append(data)
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
    for result in results:
        typer.echo(json.dumps(result, indent=2))


def numbers(settings: list[str]) -> dict[str, float]:
    """`["a=1.5"]` to `{"a": 1.5}`."""
    found = {}
    for text in settings:
        name, _, value = text.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            raise FacsimError(f"'--time {text}' should look like '--time cpu_b100_ms=3.5'.") from None
    return found
