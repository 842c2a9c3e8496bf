"""Batch systems: resources, job arrays, and the jobs that dask-jobqueue would submit."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from facsim.core.errors import FacsimError
from facsim.engines.clusters import Resources, job_script, read_resources
from facsim.engines.templates import array_script

COMMAND = ["python", "-m", "facsim", "farm", "sample", "par04", "--out", "/data/my showers"]


def test_resources_come_from_a_file_and_options(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("memory: 6GB\nqueue: long\nprologue: [module load python]\n")
    found = read_resources(path, {"memory": "8GB", "walltime": None, "directives": ["--qos=low"]})
    assert (found.memory, found.queue, found.walltime, found.directives) == ("8GB", "long", "08:00:00", ["--qos=low"])
    assert found.seconds == 8 * 3600
    for text, words in (("memory: lots", "memory of the batch"), ("cpus: 2", "cpus of the batch"), ("- 1", "no YAML")):
        path.write_text(text)
        with pytest.raises(FacsimError, match=words):
            read_resources(path, {})
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FacsimError, match="no YAML"):
        read_resources(path, {})
    with pytest.raises(FacsimError, match="No such file"):
        read_resources(tmp_path / "none.yaml", {})


def test_slurm_array(tmp_path: Path) -> None:
    resources = Resources(memory="2GiB", queue="long", account="lhcb", directives=["--qos=low"], prologue=["true"])
    text = array_script("slurm", COMMAND, [0, 1, 2, 5, 7, 8], tmp_path, resources)
    lines = text.splitlines()
    for line in ("--array=0-2,5,7-8", "--mem=2048M", "--partition=long", "--account=lhcb", "--qos=low"):
        assert f"#SBATCH {line}" in lines
    assert lines[-1].endswith("--out '/data/my showers' --only-shard \"$SLURM_ARRAY_TASK_ID\"")
    assert lines[0] == "#!/bin/bash"
    assert lines[1].startswith(f"# submit by: sbatch {tmp_path}/job.slurm ")
    assert f'#SBATCH --output="{tmp_path}/logs/%A_%a.log"' in lines
    percent = array_script("slurm", COMMAND, [0], Path("/data/100%"), resources)
    assert '#SBATCH --output="/data/100%%/logs/%A_%a.log"\n' in percent
    other = array_script("slurm", COMMAND, [0], tmp_path, Resources(python="/shared/bin/python"))
    assert "exec /shared/bin/python -m facsim" in other
    assert f'#SBATCH --chdir="{Path.cwd()}"' in lines
    bash = shutil.which("bash")
    assert bash is not None
    script = tmp_path / "job"
    script.write_text(text.replace("exec python", "exec echo"))
    done = subprocess.run(
        [bash, str(script)],
        env={"SLURM_ARRAY_TASK_ID": "7", "PATH": "/bin:/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[-2:] == ["--only-shard", "7"]


def test_a_prologue_may_use_what_is_not_set_and_fail_within(tmp_path: Path) -> None:
    setup = tmp_path / "activate"  # as those of conda and of environment modules do
    setup.write_text('[ -n "$NEVER_SET" ]\nexport PLACE=found\n')
    resources = Resources(prologue=[f"source {setup}"])
    text = array_script("slurm", ["printenv", "PLACE"], [0], tmp_path, resources)
    script = tmp_path / "job"
    script.write_text(text.replace('--only-shard "$SLURM_ARRAY_TASK_ID"', ""))
    env = {"PATH": "/bin:/usr/bin"}
    done = subprocess.run(["/bin/bash", str(script)], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "found\n")
    script.write_text(text)
    alone = subprocess.run(["/bin/bash", str(script)], env=env, capture_output=True, text=True, check=False)
    assert alone.returncode != 0
    assert "SLURM_ARRAY_TASK_ID: unbound variable" in alone.stderr


def test_htcondor_queue(tmp_path: Path) -> None:
    resources = Resources(memory="2GB", walltime="01:00:00", directives=['+JobFlavour = "workday"'])
    lines = array_script("htcondor", COMMAND, [3, 4], tmp_path, resources).splitlines()
    assert lines[-1] == "queue shard in (3, 4)"
    assert lines[0].startswith(f"# submit by: condor_submit {tmp_path}/job.htcondor ")
    assert {"request_memory = 1908", "+MaxRuntime = 3600", '+JobFlavour = "workday"', "universe = vanilla"} <= set(
        lines
    )
    arguments = next(line for line in lines if line.startswith("arguments"))
    # HTCondor undoes this: single quotes are doubled within the quoted argument
    assert "--out ''/data/my showers'' --only-shard $1' facsim $(shard)\"" in arguments
    with pytest.raises(FacsimError, match="not of 'pbs'"):
        array_script("pbs", COMMAND, [1], tmp_path, resources)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("where", ["slurm", "htcondor"])
def test_jobs_of_dask(where: str) -> None:
    pytest.importorskip("dask_jobqueue")
    directive = "--qos=low" if where == "slurm" else "+JobFlavour = workday"
    resources = Resources(cores=2, memory="6GB", walltime="02:00:00", queue="long", directives=[directive])
    script = job_script(where, resources, Path("/data/100% mine/logs"))
    assert "distributed.cli.dask_worker tcp://" in script
    assert "--nworkers 2" in script
    assert "--nthreads 1" in script
    assert "--lifetime 6900s" in script
    wanted = (
        [
            "#SBATCH --qos=low",
            "-p long",
            "-t 02:00:00",
            "--mem=6G",
            '#SBATCH --output="/data/100%% mine/logs/%j.log"',
        ]
        if where == "slurm"
        else ["+JobFlavour = workday", "+MaxRuntime = 7200", "DaskWorkerMemory = 6000000000"]
    )
    assert all(line in script for line in wanted)


def test_directives_of_htcondor_have_values() -> None:
    pytest.importorskip("dask_jobqueue")
    with pytest.raises(FacsimError, match="reads 'key = value', not 'nonsense'"):
        job_script("htcondor", Resources(directives=["nonsense"]), Path("logs"))
