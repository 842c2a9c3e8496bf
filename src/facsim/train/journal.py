"""The log of a training: one JSON object a line in `metrics.jsonl`, passed on to further sinks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facsim.core.store import atomic_path
from facsim.train.sinks import Sink

Row = dict[str, Any]


class Journal:
    """Rows with a `step`, in order, in `folder`/metrics.jsonl.

    Args:
        folder: exists. done: steps done before, whose rows are kept. sinks: who also gets the rows.
    """

    def __init__(self, folder: Path, done: int, sinks: Sequence[Sink] = ()) -> None:
        self.path, self.sinks = folder / "metrics.jsonl", sinks
        if done:
            self._forget_after(done)
        else:
            self.path.unlink(missing_ok=True)

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write("".join(json.dumps(row) + "\n" for row in rows))
        for sink in self.sinks:
            for row in rows:
                sink.write(row)

    def close(self) -> None:
        """Let the sinks finish."""
        for sink in self.sinks:
            sink.close()

    def _forget_after(self, done: int) -> None:
        """Drop what a killed training logged after its last checkpoint: those steps are done again."""
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True) if self.path.is_file() else []
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= done]
        with atomic_path(self.path) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")
