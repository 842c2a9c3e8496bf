"""Write calochallenge.json: high-level features and separation powers as the CaloChallenge's own scripts compute them.

It needs a checkout of https://github.com/CaloChallenge/homepage (no licence: keep it outside this repository), numpy
and matplotlib: python tests/golden/make_challenge.py path/to/homepage

Versions of the files used: HighLevelFeatures.py 0d10232, XMLHandler.py b7da333, evaluate_plotting_helper.py 5e12c02,
binning_dataset_*.xml ec97ffa; calochallenge.json was made with their computing functions alone, transcribed without
what only draws or prints. The histograms of centre and width in r and of sparsity are not in that version of the
helper: their bins are those of the published evaluation (arXiv 2410.21611), filled here and given to its
`_separation_power`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SETS: Mapping[str, tuple[str, str, float, int]] = {
    "ds1-photons": ("1-photons", "photon", 1.0, 60),
    "ds1-pions": ("1-pions", "pion", 1.0, 60),
    "ds2-electrons": ("2", "electron", 0.5e-3 / 0.033, 40),
    "ds3-electrons": ("3", "electron", 0.5e-3 / 0.033, 30),
}
"""Built-in geometry: the challenge's data set, particle, threshold in MeV, showers of each sample."""

WHOLE = 2


def showers(name: str, r: Any, alpha: Any, layer: Any, changed: bool) -> tuple[Any, Any]:
    """Made-up showers: cells (N, V) and incident energies (N,) in MeV; uniform numbers of a seed, so easy to repeat.

    Sparse, exponential energies, off centre, with empty layers and cells below threshold. In a layer that is not empty
    the two inner rings are always lit: the centre of a single ring can lie on an edge of the challenge's bins, and on
    which side is then an accident of rounding.

    Args:
        name: a key of `SETS`. r, alpha, layer: ring centre (mm), azimuth and place of the layer of each cell.
        changed: the second sample: wider, higher and with fewer lit cells.
    """
    number = list(SETS).index(name)
    n = SETS[name][3]
    rng = np.random.default_rng([20250102, number, int(changed)])
    e_inc = 10.0 ** (4.0 + 1.5 * rng.random(n))
    depth = (np.asarray(layer) + 0.5) / (np.max(layer) + 1)
    width = np.max(r) * (0.08 if not changed else 0.1)
    centre = 6.0 * rng.random((n, 1)) - 3.0
    shape = depth**1.5 * np.exp(-4.0 * depth) * np.exp(-r / width) * (1.0 + 0.4 * np.cos(alpha - centre))
    inner = np.concatenate([r[layer == i] <= np.unique(np.round(r[layer == i], 9))[1] + 1e-6 for i in np.unique(layer)])
    lit = (rng.random((n, len(r))) < (0.5 if not changed else 0.4)) | inner
    full = rng.random((n, int(np.max(layer)) + 1)) > 0.15
    cells = -np.log1p(-rng.random((n, len(r)))) * shape * lit * full[:, np.asarray(layer)]
    share = 0.6 + 0.5 * rng.random(n) + (0.1 if changed else 0.0)
    cells *= (share * e_inc / cells.sum(axis=1))[:, None]
    return cells + np.where((cells > 0) & inner, SETS[name][2], 0.0), e_inc


def main(checkout: Path) -> None:
    """Write the file beside this script."""
    sys.path.insert(0, str(checkout / "code"))
    import evaluate_plotting_helper as helper  # noqa: PLC0415
    import HighLevelFeatures  # noqa: PLC0415
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    golden: dict[str, Any] = {"source": "CaloChallenge/homepage, code/, versions and changes as in make_challenge.py"}
    for name in SETS:
        golden[name] = one_set(name, checkout / "code", HighLevelFeatures.HighLevelFeatures, helper)
    path = Path(__file__).with_name("calochallenge.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")


def one_set(name: str, code: Path, features: Any, helper: Any) -> dict[str, Any]:
    """Geometry, features of the first sample and separation powers between the two."""
    dataset, particle, threshold, _ = SETS[name]
    xml = code / f"binning_dataset_{dataset.replace('-', '_')}.xml"
    known = [features(particle, filename=str(xml)) for _ in range(2)]
    hlf = known[0]
    x, y = (np.concatenate(part) for part in (hlf.eta_all_layers, hlf.phi_all_layers))
    layer = np.repeat(np.arange(len(hlf.num_voxel)), hlf.num_voxel)
    samples = []
    for found, changed in zip(known, (False, True), strict=True):
        cells, e_inc = showers(name, np.hypot(x, y), np.arctan2(y, x), layer, changed)
        cells[cells < threshold] = 0.0
        calculate(found, cells)
        found.Einc = e_inc[:, None]
        samples.append(cells)
    vectors = vector(known[0])
    return {
        "layers": dict(zip(map(str, hlf.relevantLayers), zip(hlf.r_edges, hlf.num_alpha, strict=True), strict=True)),
        "cells": [short(v) for v in (x.sum(), y.sum(), (x * np.arange(len(x))).sum(), (y * np.arange(len(y))).sum())],
        "features": [[short(v) for v in row] for row in vectors[:WHOLE]],
        "feature_sums": [short(v) for v in vectors.sum(axis=0)],
        "separation": separations(known, samples, dataset, threshold, helper),
    }


def calculate(found: Any, cells: Any) -> None:
    """The challenge's features. Its version 0d10232 keeps ring centres as lists by place, but uses them as arrays by
    layer id; both are put right here, and nothing else."""
    try:
        found.CalculateFeatures(cells)
    except (IndexError, TypeError):
        centres = [np.array(values) for values in found.radial_center_mult]
        found.radial_center_mult = dict(zip(found.relevantLayers, centres, strict=True))
        found.CalculateFeatures(cells)


def vector(found: Any) -> Any:
    """The columns that the challenge's classifier, FPD and KPD see, in their order."""
    wide, every = found.layersBinnedInAlpha, found.relevantLayers
    columns = [np.log10(found.Einc[:, 0])] + [np.log10(found.E_layers[i] + 1e-8) for i in every]
    for values in (found.EC_etas, found.EC_phis, found.width_etas, found.width_phis):
        columns += [values[i] / 1e2 for i in wide]
    columns += [np.log10(found.E_tot + 1e-8)] + [found.sparsity[i] for i in every]
    columns += [found.EC_r[i] / 1e2 for i in every] + [found.width_r[i] / 1e2 for i in every]
    return np.stack(columns, axis=1)


def separations(known: Any, samples: Any, dataset: str, threshold: float, helper: Any) -> dict[str, Any]:
    """Separation power of every observable (and layer), in the names of facsim."""
    reference, generated = known
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        settings = types.SimpleNamespace(
            dataset=dataset, output_dir=folder, mode="hist-chi", x_scale="log", min_energy=threshold
        )
        written = Path(folder) / f"histogram_chi2_{dataset}.txt"
        for name, function in (
            ("e_ratio", helper.plot_Etot_Einc),
            ("e_layer", helper.plot_E_layers),
            ("ec_x", helper.plot_ECEtas),
            ("ec_y", helper.plot_ECPhis),
            ("width_x", helper.plot_ECWidthEtas),
            ("width_y", helper.plot_ECWidthPhis),
        ):
            function(generated, reference, settings)
            out[name] = read(written)
        helper.plot_cell_dist(samples[1], samples[0], settings)
        out["cells"] = read(written)
    for name in ("EC_r", "width_r", "sparsity"):
        first, second = getattr(reference, name), getattr(generated, name)
        out[name.lower()] = [
            short(helper._separation_power(*densities(first[i], second[i], bins(name, dataset, i)))) for i in first
        ]
    return out


def bins(name: str, dataset: str, layer: int) -> Any:
    """Edges of the evaluation for centre and width in r and for sparsity."""
    if name == "sparsity":
        return np.linspace(0, 1, 21)
    if dataset in ("2", "3"):
        return np.linspace(0, 42 if name == "EC_r" else 20, 101)
    return np.linspace(0, 1500 if layer in (12, 13, 14) else 500, 101)


def densities(first: Any, second: Any, edges: Any) -> tuple[Any, Any, Any]:
    """Both histograms as densities, and the edges."""
    return *(np.histogram(values, edges, density=True)[0] for values in (first, second)), edges


def read(path: Path) -> list[float]:
    """The numbers that the helper appended to its text file, which is emptied."""
    lines = path.read_text(encoding="utf-8").splitlines()
    path.unlink()
    return [short(float(line)) for line in lines if line and not line.rstrip().endswith(":")]


def short(value: float) -> float:
    """Eleven digits."""
    return float(f"{value:.11g}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
