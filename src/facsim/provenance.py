"""Where a run comes from: versions, hardware, seed, git state."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from facsim import __version__

PACKAGES = ("numpy", "scipy", "h5py", "torch", "onnx", "onnxruntime", "calzone", "matplotlib")


def provenance(seed: int) -> dict[str, Any]:
    """Versions, hardware, seed and git state of the working directory."""
    return {"versions": versions(), "hardware": hardware(), "seed": seed, "git": _git_state()}


def versions() -> dict[str, str]:
    """Versions of facsim, Python and the packages that results depend on, of those installed."""
    found = {"facsim": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """Processor, cores that may be used, memory and system."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return {"cpu": cpu, "cores": cores, "memory_GB": round(memory / 2**30, 1), "system": platform.platform(terse=True)}


def _git_state() -> dict[str, Any] | None:
    git = shutil.which("git")
    if git is None:
        return None

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(git), *words], capture_output=True, text=True, check=False)

    head = ask("rev-parse", "HEAD")
    if head.returncode != 0:
        return None
    return {"commit": head.stdout.strip(), "uncommitted_changes": bool(ask("status", "--porcelain").stdout.strip())}
