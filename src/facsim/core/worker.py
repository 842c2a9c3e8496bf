"""What every worker process does: JSON lines of tasks in, JSON lines of answers out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from facsim.core.errors import FacsimError


class Replies:
    """Where a worker's answers go."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, kind: str, **content: Any) -> None:
        """Write one answer, of a `kind` such as `ready`, `progress`, `done` or `error`."""
        self._stream.write(json.dumps({"kind": kind, **content}) + "\n")
        self._stream.flush()


def answer_tasks(serve: Callable[[TextIO, Replies], None], worker: str) -> None:
    """Let `serve` do the work, from the first line of standard input on; the body of a worker's `main`.

    Standard output is kept for the answers, all else that writes there goes to standard error. An error is an answer;
    of one that is no `FacsimError` it says `worker`, such as "a Geant4 worker".
    """
    replies = Replies(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    try:
        serve(sys.stdin, replies)
    except BrokenPipeError:
        os._exit(1)  # whoever asked is gone
    except FacsimError as error:
        replies.send("error", message=str(error))
        sys.exit(1)
    except Exception as error:
        replies.send("error", message=f"{worker} failed: {type(error).__name__}: {error}")
        raise
