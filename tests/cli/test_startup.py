"""Starting is quick: nothing heavy is imported before it is needed."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "scipy", "h5py", "pydantic", "yaml", "rich", "matplotlib", "onnx", "onnxruntime"}
LOADED = "import json, sys; print(json.dumps([name for name in sys.modules if '.' not in name]), file=sys.stderr)"


def _loaded(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", f"{code}\n{LOADED}"], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def _processor_seconds(arguments: list[str]) -> float:
    """Least processor time of three fresh processes: independent of what else the machine does."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def test_import_loads_nothing_heavy() -> None:
    assert not _loaded("import facsim") & HEAVY


def test_help_loads_nothing_heavy() -> None:
    start = "import sys\nfrom facsim.cli import main\nsys.argv = ['facsim', '--help']"
    assert not _loaded(f"{start}\ntry:\n    main()\nexcept SystemExit:\n    pass") & HEAVY


@pytest.mark.parametrize(("arguments", "limit"), [(["-c", "import facsim"], 0.3), (["-m", "facsim", "--help"], 0.5)])
def test_start_takes_less_than(arguments: list[str], limit: float) -> None:
    assert _processor_seconds(arguments) < limit
