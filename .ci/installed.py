"""Drive an installed facsim in an empty folder, away from its sources, with the Python that has it.

`bare`: without extras, where a whole run on the shipped showers works and what is missing is told. `onnx`: the export.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import facsim
from facsim.simulate.sample import sample_path

COMMAND = Path(sys.executable).with_name("facsim")
EXTRAS = {
    "run calorimeter.yaml --smoke --out g4": "facsim[geant4]",
    "simulate jets --smoke --out jets": "facsim[jets]",
    "simulate suep --smoke --out suep": "facsim[jets]",
    "run tpc --smoke --out tpc": "facsim[onnx]",
    "export par04": "facsim[onnx]",
}


def facsim_says(line: str, *more: str, status: int = 0) -> str:
    """What `facsim line` prints; exits if its status is another, or it ends in a traceback."""
    begin = time.monotonic()
    done = subprocess.run([COMMAND, *line.split(), *more], capture_output=True, text=True, check=False)
    if done.returncode != status or "Traceback" in done.stderr:
        sys.exit(f"'facsim {line}' ended with {done.returncode}, not {status}:\n{done.stdout}\n{done.stderr}")
    print(f"  facsim {line}: {time.monotonic() - begin:.1f} s", flush=True)
    return done.stdout if status == 0 else done.stderr


def expect(condition: bool, what: str) -> None:
    """Exit with `what` unless `condition`."""
    if not condition:
        sys.exit(f"the installed facsim: {what}")


def bare() -> None:
    """Everything that needs no extra."""
    expect("site-packages" in str(Path(facsim.__file__)), f"is imported from {facsim.__file__}, not where pip put it")
    expect("calorimeter" in facsim_says("--help"), "--help shows no example")
    expect(facsim_says("--version").strip() == facsim.__version__, "--version tells another version")
    info = json.loads(facsim_says("info --json"))
    expect("par04" in info["models"], "info names no shipped model")
    facsim_says("sample par04 --events 20")
    expect(Path("par04.h5").is_file() and Path("par04.png").is_file(), "sample left no showers or no picture")
    facsim_says("init calorimeter")
    for line, extra in EXTRAS.items():
        told = facsim_says(line, status=1).strip().splitlines()[-1]
        expect(told.endswith(f"run pip install '{extra}'."), f"'facsim {line}' tells of no missing {extra}: {told}")
    settings = [
        "simulate=null",
        f"data={{files: [{sample_path()}]}}",
        "export=null",
        "baselines=[library]",
        "timing.batches=[1]",
    ]
    facsim_says("run calorimeter.yaml --smoke --out run", *(f"--set={text}" for text in settings))
    expect(Path("run/report/index.html").stat().st_size > 1e6, "the page of a run is too small to hold its pictures")


def onnx() -> None:
    """The shipped model as a graph."""
    facsim_says("export par04")
    check = json.loads(Path("par04.check.json").read_text(encoding="utf-8"))
    expect(bool(check["passed"]), "the exported graph does not agree with torch")


if __name__ == "__main__":
    {"bare": bare, "onnx": onnx}[sys.argv[1]]()
