"""A local worker process: shards in, one JSON line each; outcomes out."""

from __future__ import annotations

import json
from typing import TextIO

from facsim.core.worker import Replies, answer_tasks
from facsim.engines.shards import Job, Shard, attempt


def serve(tasks: TextIO, replies: Replies) -> None:
    """Make shards until the input ends; the first line is the job."""
    job = Job.from_dict(json.loads(tasks.readline()))
    replies.send("ready")
    for line in tasks:
        shard = Shard(**json.loads(line))
        replies.send("done", index=shard.index, outcome=attempt(job, shard))


def main() -> None:
    """Entry point of the process."""
    answer_tasks(serve, "a worker")
