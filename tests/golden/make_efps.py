"""Write energyflow_efps.json: energy flow polynomials of a few jets as the package EnergyFlow computes them.

Run it in an environment of its own: pip install energyflow "numpy<2"; python tests/golden/make_efps.py
"""

from __future__ import annotations

import json
from pathlib import Path

import energyflow
import numpy as np


def jets(n: int = 20, particles: int = 10) -> np.ndarray:
    """Jets (n, particles, 3) of eta, phi, pT, rounded to stay short; some padded, some across phi = pi."""
    rng = np.random.default_rng(20250101)
    angles = 0.3 * rng.normal(size=(n, particles, 2))
    angles[n // 2 :, :, 1] += np.pi
    angles[..., 1] = np.mod(angles[..., 1] + np.pi, 2 * np.pi) - np.pi
    pt = rng.exponential(size=(n, particles))
    pt[::3, -4:] = 0.0
    return np.concatenate([angles, pt[..., None]], axis=2).round(4)


def main() -> None:
    """Write the file beside this script."""
    efpset = energyflow.EFPSet("d<=4", measure="hadr", beta=1, normed=False, coords="ptyphim")
    sample = jets()
    values = [efpset.compute(jet[jet[:, 2] > 0][:, [2, 0, 1]]).tolist() for jet in sample]
    golden = {
        "source": f"energyflow {energyflow.__version__}, EFPSet('d<=4', measure='hadr', beta=1, normed=False)",
        "columns": "eta, phi, pT",
        "jets": sample.tolist(),
        "efps": values,
    }
    path = Path(__file__).with_name("energyflow_efps.json")
    path.write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
