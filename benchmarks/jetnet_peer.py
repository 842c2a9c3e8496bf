"""jetnet 0.2.5's side of benchmarks/jetnet_suite.py: run by it, with an interpreter that has jetnet."""

from __future__ import annotations

import json
import resource
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jetnet.evaluation.gen_metrics as metrics
import numpy as np


def cpu() -> float:
    """Processor seconds of this process and its children."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def main() -> None:
    """Write value and processor seconds of every step beside the samples."""
    folder = Path(sys.argv[1])
    options = json.loads((folder / "options.json").read_text(encoding="utf-8"))
    x, y = np.load(folder / "reference.npy"), np.load(folder / "candidate.npy")
    warnings.simplefilter("ignore")
    # Numba compiles on the first call: not counted.
    metrics.kpd(x[:50, 0, :], y[:50, 0, :], num_batches=1, batch_size=20)
    found: dict[str, Any] = {}
    features: list[np.ndarray] = []

    def step(name: str, function: Callable[[], Any]) -> None:
        metrics.rng = np.random.default_rng(options["seed"])
        begin = cpu()
        value = function()
        found[name] = {"cpu": cpu() - begin, "value": [np.mean(part, axis=None).item() for part in value]}

    def efps() -> list[np.ndarray]:
        features.extend(metrics.get_fpd_kpd_jet_features(jets, efp_jobs=1) for jets in (x, y))
        return features

    w1 = options["w1"]
    step("efps", efps)
    step("fpd", lambda: metrics.fpd(*features, seed=options["seed"], **options["fpd"]))
    step("kpd", lambda: metrics.kpd(*features, seed=options["seed"], **options["kpd"]))
    step("w1m", lambda: metrics.w1m(x, y, **w1))
    step("w1p", lambda: metrics.w1p(x, y, **w1))
    step("w1efp", lambda: metrics.w1efp(x, y, efp_jobs=1, **w1))
    if options["cloud"]["num_batches"]:
        step("coverage, mmd", lambda: metrics.cov_mmd(x, y, use_tqdm=False, **options["cloud"]))
    (folder / "peer.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
