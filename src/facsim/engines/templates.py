"""Batch jobs without Dask: a job array whose every job makes the shard of its number."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from facsim.core.errors import FacsimError
from facsim.engines.clusters import Resources, slurm_path

SLURM, HTCONDOR = "slurm", "htcondor"


def array_script(where: str, command: Sequence[str], shards: Sequence[int], out: Path, resources: Resources) -> str:
    """The text to submit: `sbatch FILE` or `condor_submit FILE`.

    Args:
        where: `slurm` or `htcondor`.
        command: facsim's, without `--only-shard`.
        shards: numbers of those to make.
        out: folder of the results, where the text goes as `job.slurm` or `job.htcondor`, and logs.
        resources: of each job.

    Raises:
        FacsimError: another batch system.
    """
    command = [resources.python or command[0], *command[1:]]
    if where == SLURM:
        return _slurm(command, shards, out, resources)
    if where == HTCONDOR:
        return _htcondor(command, shards, out, resources)
    raise FacsimError(f"there are job arrays of {SLURM} and {HTCONDOR}, not of '{where}'.")


def _slurm(command: Sequence[str], shards: Sequence[int], out: Path, resources: Resources) -> str:
    logs = out / "logs"
    megabytes = _megabytes(resources.memory)
    lines = [
        "#!/bin/bash",
        _how_to("sbatch", out / f"job.{SLURM}"),
        "#SBATCH --job-name=facsim-farm",
        f"#SBATCH --array={_ranges(shards)}",
        "#SBATCH --ntasks=1",
        f"#SBATCH --cpus-per-task={resources.cores}",
        f"#SBATCH --mem={megabytes}M",
        f"#SBATCH --time={resources.walltime}",
        f'#SBATCH --chdir="{Path.cwd()}"',
        f'#SBATCH --output="{slurm_path(logs)}/%A_%a.log"',
        *([f"#SBATCH --partition={resources.queue}"] if resources.queue else []),
        *([f"#SBATCH --account={resources.account}"] if resources.account else []),
        *(f"#SBATCH {line}" for line in resources.directives),
        "",
        *resources.prologue,
        "set -eu",
        f'exec {shlex.join(command)} --only-shard "$SLURM_ARRAY_TASK_ID"',
    ]
    return "\n".join(lines) + "\n"


def _htcondor(command: Sequence[str], shards: Sequence[int], out: Path, resources: Resources) -> str:
    logs = out / "logs"
    words = [*command, "--only-shard"]
    inside = " && ".join([*resources.prologue, f"exec {shlex.join(words)} $1"])
    # HTCondor's quoting: the whole in double quotes, an argument with spaces in single ones, each doubled inside
    quoted = inside.replace("'", "''").replace('"', '""')
    lines = [
        _how_to("condor_submit", out / f"job.{HTCONDOR}"),
        "universe = vanilla",
        "executable = /bin/bash",
        f"arguments = \"-c '{quoted}' facsim $(shard)\"",
        "getenv = True",
        f"initialdir = {Path.cwd()}",
        f"request_cpus = {resources.cores}",
        f"request_memory = {_megabytes(resources.memory)}",
        f"request_disk = {_megabytes(resources.disk) * 1024}",
        f"+MaxRuntime = {resources.seconds}",
        f"output = {logs}/$(ClusterId).$(shard).out",
        f"error = {logs}/$(ClusterId).$(shard).err",
        f"log = {logs}/$(ClusterId).log",
        "max_retries = 2",
        *resources.directives,
        "queue shard in (" + ", ".join(map(str, shards)) + ")",
    ]
    return "\n".join(lines) + "\n"


def _how_to(submit: str, file: Path) -> str:
    command = shlex.join([submit, str(file)])
    return f"# submit by: {command}    then, when all jobs are done, the same facsim command with --merge"


def _megabytes(text: str) -> int:
    """MiB, rounded up, of a size such as 4GB."""
    number, unit = text[: -2 if text[-2].isalpha() and text[-2] != "i" else -3], text.strip("0123456789. ")
    base = 1024 if "i" in unit else 1000
    size = float(number) * base ** ("KMGT".index(unit[0]) + 1)
    return -(-int(size) // 2**20)


def _ranges(numbers: Sequence[int]) -> str:
    """`0-3,7` of 0, 1, 2, 3, 7."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)
