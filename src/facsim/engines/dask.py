"""Shards on Dask: a cluster of this machine, of a batch system, or one that runs already. Dask is imported only here,
in `clusters` and in `jobs`."""

from __future__ import annotations

import ctypes
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.engines.clusters import Resources, open_cluster
from facsim.engines.ledger import Ledger
from facsim.engines.shards import LOGS, Job, Shard, attempt, sweep

REACHED = 20.0
"""Seconds within which a scheduler has to answer."""
BREATH = 0.05
"""Seconds between looks for shards that are done."""
OPEN = ("lost", "pending")
"""Of a shard that was done, and whose worker died before it could say so: Dask makes it again."""
Say = Callable[[str], None]


def run_dask(ledger: Ledger, where: str, workers: int, resources: Resources, say: Say) -> None:
    """Make the shards of `ledger` on the Dask cluster `where`: `local`, `slurm`, `htcondor`, or a scheduler's address.

    Args:
        ledger: of the shards.
        where: the cluster.
        workers: processes to ask for; of a scheduler that runs already, those that it has are used.
        resources: of the jobs of a batch system.
        say: told the addresses of scheduler and dashboard.

    Raises:
        MissingExtraError: Dask is not installed.
        FacsimError: the cluster cannot be started or reached, its jobs bring no workers, or its scheduler is lost;
            finished shards stay.
    """
    if find_spec("distributed") is None:
        raise MissingExtraError("dask", "distributed")
    import distributed  # noqa: PLC0415

    library: Any = distributed  # which is typed in part only
    with _client(ledger, where, workers, resources, say) as (client, look):
        say(f"  scheduler {client.scheduler.address}; {_dashboard(client)}")
        running = library.as_completed(with_results=False, raise_errors=False)
        futures: dict[Any, Any] = {}
        _submit(ledger, client, running, futures)
        try:
            while running.count() and not ledger.given_up:
                look()
                for future in running.next_batch(block=False):
                    if future.status in OPEN:
                        running.add(future)
                    else:
                        _note(ledger, futures.pop(future.key), future)
                _submit(ledger, client, running, futures)
                time.sleep(BREATH)
        finally:
            with suppress(Exception):  # of a scheduler that is gone
                client.cancel(list(running.futures))
            sweep(ledger.job.folder)


def _submit(ledger: Ledger, client: Any, running: Any, futures: dict[Any, Any]) -> None:
    while (shard := ledger.take()) is not None:
        future = client.submit(make_there, ledger.job, shard, pure=False)
        futures[future.key] = shard
        running.add(future)


def make_there(job: Job, shard: Shard) -> dict[str, Any]:
    """`attempt` in a worker of Dask.

    Dask has workers give memory back to the system at once, which makes sampling several times slower: put back what
    the C library of Linux comes to by itself.
    """
    with suppress(AttributeError, TypeError):  # of other systems
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD
        mallopt(-1, 64 << 20)  # M_TRIM_THRESHOLD
    return attempt(job, shard)


def _note(ledger: Ledger, shard: Shard, future: Any) -> None:
    """Take note of a future that is done.

    Raises:
        FacsimError: the scheduler is gone.
    """
    outcome = None
    if future.status != "cancelled":
        with suppress(OSError, CancelledError):  # the connection may be lost while the outcome is fetched
            outcome = _outcome(ledger, future)
    if outcome is None:
        raise FacsimError(
            f"the Dask scheduler is gone: the shards that are made stay, at most {ledger.unfinished} are left; give "
            "the same command again to make these."
        )
    ledger.finish(shard, outcome)


def _outcome(ledger: Ledger, future: Any) -> Any:
    """What `attempt` gave, or why it gave nothing."""
    if future.status == "finished":
        return future.result()
    error, deaths = future.exception(), ledger.job.retries + 1
    if type(error).__name__ == "KilledWorker":
        why = f"{deaths} workers died of it, or cannot import facsim: their output tells why, of jobs in {LOGS}/"
        return {"error": why, "final": True}
    return {"error": f"{type(error).__name__}: {error}"[:300], "final": False}


@contextmanager
def _client(
    ledger: Ledger, where: str, workers: int, resources: Resources, say: Say
) -> Iterator[tuple[Any, Callable[[], None]]]:
    import dask  # noqa: PLC0415
    import distributed  # noqa: PLC0415

    library: Any = distributed
    settings = {
        "distributed.scheduler.allowed-failures": ledger.job.retries,
        "distributed.deploy.lost-worker-timeout": "3650d",  # a job whose worker is lost is replaced by `jobs`
        "distributed.comm.timeouts.connect": f"{REACHED:g}s",
        "distributed.admin.log-length": 0,
    }
    logs = ledger.job.folder.absolute() / LOGS
    cluster_of = open_cluster(where, workers, resources, logs, say)
    with _quiet(), dask.config.set(settings), cluster_of as (cluster, look):
        try:
            client = library.Client(cluster, timeout=REACHED)
        except (OSError, ValueError) as error:
            raise FacsimError(
                f"no Dask scheduler answers at '{where}' ({error}): give its address as tcp://HOST:PORT, or local, "
                "slurm or htcondor."
            ) from None
        try:
            yield client, look
        finally:
            with suppress(Exception):  # of a scheduler that is gone
                client.close(timeout=2)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own words, of workers and connections that are lost, from the terminal.

    After an error they stay away: of a scheduler that is gone Dask speaks until the interpreter ends.
    """
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in ("distributed", "asyncio")]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def _dashboard(client: Any) -> str:
    if find_spec("bokeh") is None:
        return "its dashboard is off: pip install bokeh to have it"
    return f"dashboard {client.dashboard_link}"
