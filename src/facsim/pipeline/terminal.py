"""What a person at a terminal sees while stages run; everything goes to standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from facsim.run import Advance


class Terminal:
    """A `Reporter` that writes lines and progress bars with the time left."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)

    def say(self, text: str, style: str = "") -> None:
        """Show one line."""
        self.console.print(text, style=style, markup=False, soft_wrap=True)

    @contextmanager
    def progress(self, label: str) -> Iterator[Advance]:
        """A bar that is given the fraction done and a note."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=32),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console, redirect_stdout=False, redirect_stderr=False) as bar:
            task = bar.add_task(label, total=1.0, note="")
            yield lambda fraction, note: bar.update(task, completed=fraction, note=note)
