"""A verb in several processes, started by torchrun: the first leads, the others train with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from facsim.core.errors import FacsimError


@contextmanager
def together(verb: str) -> Iterator[bool]:
    """Context of `verb`; gives whether this process leads, which it does where there is no other.

    Raises:
        FacsimError: torchrun started a verb other than train.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield True
        return
    from facsim.train.processes import Processes, launched  # noqa: PLC0415  torch is heavy

    if verb != "train":
        raise FacsimError(f"several processes can only train: start 'facsim {verb}' without torchrun.")
    first = launched()[0] == 0
    try:
        yield first
        if first:
            Processes.join().tell(None)  # those who wait may go
        Processes.join().meet()
    finally:
        Processes.leave()
