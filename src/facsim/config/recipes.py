"""The commented configurations that ship."""

from __future__ import annotations

import shutil
from pathlib import Path

from facsim.config.complaints import nearest
from facsim.core.errors import FacsimError
from facsim.core.store import atomic_path

RECIPES = {
    "calorimeter": ("calo-electrons.yaml", "electrons in tungsten-silicon; two stages, flow matching in both"),
    "par04": ("par04.yaml", "the surrogate that ships with facsim: 50 000 electrons, trained for speed"),
    "pions": ("pions.yaml", "pions in iron and scintillator; approximate hadronic physics"),
    "ragged": ("ragged.yaml", "photons in lead and argon, layers that differ, as in data set 1"),
    "tpc": ("tpc.yaml", "local responses of the MPD TPC at NICA; whole events built from them and reconstructed"),
    "rich": ("rich.yaml", "particle identification with the RICH detectors of LHCb, from kinematics"),
    "jets": ("jets.yaml", "truth alone: jets of Pythia and FastJet in JetNet's form, five kinds"),
    "jets-g": ("jets-g.yaml", "gluon jets as particle clouds, as in JetNet; flow matching with an EPiC network"),
    "jets-t": ("jets-t.yaml", "the same of top quarks, with mass peaks and three prongs"),
    "ecal": ("ecal.yaml", "photons in an ECAL like that of LHCb; pairs of photons on the whole calorimeter"),
    "jets-reco": ("jets-reco.yaml", "reconstructed jets from generator-level ones, in a detector like CMS"),
    "anomaly": ("anomaly.yaml", "dark showers told from QCD without a look at signal; sprays and few features"),
    "suep": ("suep.yaml", "the same by the autoencoder of three images with inverse Dice"),
    "codae": ("codae.yaml", "the same by a conditional dual autoencoder, with a choice among its scores"),
    "distil": ("distil.yaml", "a small student that learns the score of a large autoencoder, for a trigger"),
}
"""Name to the file in `recipes` and what it does. Files `calo-*.yaml` share one truth, so that they can be compared."""


def recipe(task: str) -> Path:
    """The commented configuration that ships under that name.

    Raises:
        FacsimError: there is none.
    """
    if task not in RECIPES:
        raise FacsimError(f"unknown task '{task}'{nearest(task, RECIPES) or f': expected one of {sorted(RECIPES)}.'}")
    return Path(__file__).parents[1] / "recipes" / RECIPES[task][0]


def recipes() -> dict[str, str]:
    """The configurations that `init` can write: name to what each is for."""
    return {name: words for name, (_, words) in RECIPES.items()}


def init(task: str = "calorimeter", path: str | Path | None = None) -> Path:
    """Write the commented configuration of `task`; by default `<task>.yaml` in the working directory.

    Raises:
        FacsimError: unknown task, the file exists already, or it cannot be written.
    """
    source = recipe(task)
    target = Path(path or f"{task}.yaml")
    if target.exists():
        raise FacsimError(f"'{target}' exists already: choose another name, or remove it first.")
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    return target
