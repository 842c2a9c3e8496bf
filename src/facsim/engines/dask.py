"""Shards on Dask: a cluster of this machine, of a batch system, or one that runs already. Dask is imported only here,
in `clusters` and in `jobs`."""

from __future__ import annotations

import ctypes
import logging
import time
from collections.abc import Callable, Iterator
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
ANSWER = 2.0
"""Seconds within which a worker that is done has to say so."""
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
                    outcome = _outcome(ledger, future)
                    if outcome is None:
                        running.add(future)
                    else:
                        ledger.finish(futures.pop(future.key), outcome)
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

    Dask has workers give memory back to the system at once, which slows sampling: put back what the C library of
    Linux comes to by itself.
    """
    with suppress(AttributeError, TypeError):  # of other systems
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD
        mallopt(-1, 64 << 20)  # M_TRIM_THRESHOLD
    return attempt(job, shard)


def _outcome(ledger: Ledger, future: Any) -> dict[str, Any] | None:
    """What `attempt` gave; None where the worker died before it could say so, and Dask makes the shard again.

    Raises:
        FacsimError: the scheduler is gone.
    """
    if future.status in ("lost", "pending"):
        return None
    try:
        found: dict[str, Any] = future.result(timeout=ANSWER)
    except TimeoutError:
        return None
    except Exception as error:
        if future.cancelled() or future.client.status != "running":
            raise FacsimError(
                "the Dask scheduler is gone: the shards that are made stay, at most "
                f"{ledger.unfinished} are left; give the same command again to make these."
            ) from None
        if type(error).__name__ != "KilledWorker":
            return {"error": " ".join(f"{type(error).__name__}: {error}".split())[:300], "final": False}
        why = f"{ledger.job.retries + 1} workers died of it, or cannot import facsim: their output tells why"
        return {"error": f"{why}, of batch jobs in {LOGS}/", "final": True}
    return found


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
