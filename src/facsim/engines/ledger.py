"""The ledger of a farm at work: which shards wait, which are done, which failed, and when to give up."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from facsim.engines.shards import Job, Shard, Stamp

PATIENCE = 10
"""Shards that may fail one after the other, none finished between, before no more are begun."""


class Ledger:
    """Hands out shards and takes note of their outcomes; whoever does the work asks it for more.

    Args:
        job: of the shards. shards: that have to be made.
        hear: told after every outcome.
    """

    def __init__(self, job: Job, shards: Sequence[Shard], hear: Callable[[Ledger], None] = lambda ledger: None) -> None:
        self.job = job
        self.stamps: dict[int, Stamp] = {}
        self.failures: dict[int, str] = {}
        self.retried = 0
        self._waiting = deque(shards)
        self._open = {shard.index: shard for shard in shards}
        self._attempts: Counter[int] = Counter()
        self._in_a_row = 0
        self._hear = hear

    @property
    def unfinished(self) -> int:
        """Shards that wait or are being made."""
        return len(self._open)

    @property
    def waiting(self) -> int:
        """Shards that no worker has."""
        return len(self._waiting)

    @property
    def given_up(self) -> bool:
        """Whether so many shards failed that no more are begun."""
        return self._in_a_row >= PATIENCE

    def take(self) -> Shard | None:
        """The next shard to make, if any."""
        return self._waiting.popleft() if self._waiting else None

    def finish(self, shard: Shard, outcome: Mapping[str, Any]) -> None:
        """Note what `shards.attempt` gave."""
        if shard.index not in self._open:
            return
        if "stamp" in outcome:
            self.stamps[shard.index] = Stamp(**outcome["stamp"])
            self._in_a_row = 0
            del self._open[shard.index]
        else:
            self.fail(shard, str(outcome["error"]), final=bool(outcome["final"]))
        self._hear(self)

    def fail(self, shard: Shard, why: str, *, final: bool = False) -> None:
        """Note that `shard` was not made; unless final it waits to be tried again, a limited number of times."""
        if shard.index not in self._open:
            return
        self._attempts[shard.index] += 1
        if not final and self._attempts[shard.index] <= self.job.retries:
            self.retried += 1
            self._waiting.append(shard)
            return
        self.failures[shard.index] = why
        self._in_a_row += 1
        del self._open[shard.index]
        if self.given_up:
            for left in self._waiting:
                del self._open[left.index]
            self._waiting.clear()
