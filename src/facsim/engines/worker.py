"""A local worker process: shards in, one JSON line each; outcomes out."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TextIO

from facsim.engines.shards import Job, Shard, attempt


def serve(tasks: TextIO, answers: TextIO) -> None:
    """Make shards until the input ends; the first line is the job."""
    job = Job.from_dict(json.loads(tasks.readline()))
    _send(answers, {"kind": "ready"})
    for line in tasks:
        shard = Shard(**json.loads(line))
        _send(answers, {"kind": "done", "index": shard.index, "outcome": attempt(job, shard)})


def main() -> None:
    """Entry point: standard output is kept for the answers, all else goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        serve(sys.stdin, answers)
    except BrokenPipeError:
        os._exit(1)  # whoever asked is gone


def _send(answers: TextIO, content: dict[str, Any]) -> None:
    answers.write(json.dumps(content) + "\n")
    answers.flush()
