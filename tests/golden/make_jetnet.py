"""Write jetnet_0_2_5.json: what the package jetnet 0.2.5 itself finds on small samples, with all digits.

Run it in an environment of its own (Python 3.11, about 2 GB); jetnet's default installation does not import:

    pip install torch "numpy==1.26.4" "pyarrow<20" "wasserstein==1.1.0" "awkward==2.14.*" "coffea==2026.9" \
        "energyflow==1.4.0" "jetnet==0.2.5" torch_geometric
    python tests/golden/make_jetnet.py

The samples are functions of this file, so that a test can make them again from their seeds. jetnet draws W1 and
coverage from a generator of its module without a seed; here one with a seed takes its place before every call.
"""

from __future__ import annotations

import json
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np

JETS = 400
FEW_JETS = 60


def toy_features(n: int = 3000, dimension: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, dimension) of a reference and of a candidate that is 5 % wider."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, dimension)), 1.05 * rng.normal(size=(n, dimension))


def toy_jets(n: int, seed: int, width: float = 0.1, particles: int = 30) -> np.ndarray:
    """Jets (n, particles, 3) of relative eta, phi and pT, hardest first, five to `particles` of them, then zeros."""
    rng = np.random.default_rng(seed)
    pt = np.sort(rng.exponential(size=(n, particles)), axis=1)[:, ::-1]
    angles = width * rng.normal(size=(n, particles, 2))
    real = np.arange(particles) < rng.integers(5, particles + 1, size=(n, 1))
    pt = np.where(real, pt, 0.0)
    pt = pt / pt.sum(axis=1, keepdims=True) * rng.uniform(0.9, 1.1, size=(n, 1))
    return np.where(real[:, :, None], np.concatenate([angles, pt[:, :, None]], axis=2), 0.0)


FPD_CASES: tuple[dict[str, Any], ...] = (
    {"min_samples": 500, "max_samples": 2000, "num_batches": 4, "num_points": 5, "seed": 42},
    {"min_samples": 1000, "max_samples": 3000, "num_batches": 3, "num_points": 10, "seed": 7},
    {"min_samples": 4000, "max_samples": 9000, "num_batches": 3, "num_points": 4, "seed": 1},
)
KPD_CASES: tuple[dict[str, Any], ...] = (
    {"num_batches": 5, "batch_size": 500, "seed": 42},
    {"num_batches": 10, "batch_size": 300, "seed": 7},
    {"num_batches": 4, "batch_size": 2500, "seed": 1},
)
W1_CASES: tuple[dict[str, Any], ...] = (
    {"num_eval_samples": 300, "num_batches": 5, "seed": 3},
    {"num_eval_samples": 1000, "num_batches": 4, "seed": 4},
)
COV_CASES: tuple[dict[str, Any], ...] = (
    {"num_eval_samples": 30, "num_batches": 3, "seed": 5},
    {"num_eval_samples": 50, "num_batches": 2, "seed": 6},
)


def jet_samples() -> tuple[np.ndarray, np.ndarray]:
    """Reference and candidate jets of the golden values."""
    return toy_jets(JETS, seed=11), toy_jets(JETS, seed=12, width=0.105)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else [_plain(item) for item in value]


def _of_features(metrics: Any, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    return {
        "fpd": [{**case, "value": _plain(metrics.fpd(x, y, **case))} for case in FPD_CASES],
        "kpd": [{**case, "value": _plain(metrics.kpd(x, y, **case))} for case in KPD_CASES],
    }


def _of_jets(metrics: Any, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    def seeded(function: Any, case: dict[str, Any], **options: Any) -> dict[str, Any]:
        metrics.rng = np.random.default_rng(case["seed"])
        given = {key: value for key, value in case.items() if key != "seed"}
        return {**case, "value": _plain(function(x, y, **given, **options))}

    return {
        "w1m": [seeded(metrics.w1m, case) for case in W1_CASES],
        "w1p": [seeded(metrics.w1p, case) for case in W1_CASES],
        "w1efp": [seeded(metrics.w1efp, case, efp_jobs=1) for case in W1_CASES],
        "cov_mmd": [seeded(metrics.cov_mmd, case, use_tqdm=False) for case in COV_CASES],
    }


def _knn_graph(x: Any, k: int, batch: Any) -> Any:
    """What torch_cluster's function of this name returns; that package has no wheel for current Python and torch."""
    import torch  # noqa: PLC0415

    distance = torch.cdist(x.double(), x.double())
    distance[batch[:, None] != batch] = torch.inf
    distance.fill_diagonal_(torch.inf)
    found = distance.topk(k, dim=1, largest=False).indices
    return torch.stack([found.reshape(-1), torch.arange(len(x)).repeat_interleave(k)])


def _fpnd(metrics: Any, x: np.ndarray) -> dict[str, Any]:
    """FPND of jetnet's own network, and some activations."""
    stub = types.ModuleType("torch_cluster")
    stub.knn_graph = _knn_graph  # type: ignore[attr-defined]
    sys.modules["torch_cluster"] = stub
    import torch  # noqa: PLC0415

    found = {kind: float(metrics.fpnd(x, kind, device="cpu", use_tqdm=False)) for kind in "gqt"}
    net = metrics.fpnd_dict["jetnet"][30]["g"]["pnet"]
    scaled = torch.Tensor(x[:8]) / torch.tensor(metrics.JetNet.fpnd_norm.feature_maxes)
    scaled[:, :, 2] -= 0.5
    with torch.no_grad():
        found["activations"] = net(scaled, ret_activations=True)[:, :16].tolist()
    return found


def main() -> None:
    """Write the file beside this script."""
    import jetnet.evaluation.gen_metrics as metrics  # noqa: PLC0415
    from jetnet.utils import jet_features  # noqa: PLC0415

    warnings.simplefilter("ignore", RuntimeWarning)
    x, y = jet_samples()
    few = x[:FEW_JETS]
    efps = [metrics.get_fpd_kpd_jet_features(jets, efp_jobs=1) for jets in (x, y)]
    golden = {
        "source": "jetnet 0.2.5 in an environment of its own, by make_jetnet.py, which makes the samples too",
        "checksums": [float(array.sum()) for array in (*toy_features(), x, y)],
        "features": _of_features(metrics, *toy_features()),
        "jets": {**_of_features(metrics, *efps), **_of_jets(metrics, x, y)},
        "jet_features": {name: _plain(value) for name, value in jet_features(few).items()},
        "efps": _plain(efps[0][:FEW_JETS]),
        "fpnd": _fpnd(metrics, x),
        "emd": _plain(metrics.emds(few[:, :, [2, 0, 1]][:20], y[:20][:, :, [2, 0, 1]])),
    }
    path = Path(__file__).with_name("jetnet_0_2_5.json")
    path.write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
