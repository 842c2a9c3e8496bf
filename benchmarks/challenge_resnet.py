"""What the CaloChallenge's three-dimensional residual network sees of a shipped surrogate.

OMP_NUM_THREADS=1 python benchmarks/challenge_resnet.py TRUTH.h5 [--surrogate par04] [--showers 7000] [--epochs 20]
    [--batch-size 64] [--repeats 1] [--planes 16 32 32 64] [--candidates 2] [--layer-candidates 4]

TRUTH.h5 holds electrons of the surrogate's read-out that it was not trained on, such as those of `facsim simulate
src/facsim/recipes/par04.yaml --set simulate.events=14000 --seed 901 --out runs/truth`. The first showers are the
reference; the surrogate is sampled at the conditions of the next, which give truth's own AUC. As a control, truth
with every cell 2 % higher is judged too. Architecture, learning rate and inputs (E / E_inc of cells, log10 E_inc) are
the challenge's; instead of its 60 000 training showers of a kind, batches of 1000, 50 epochs, 10 trainings and channels
(32, 64, 64, 128) there are as many as stated.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from facsim.core.geometry import CylinderGeometry
from facsim.core.rng import generator
from facsim.data import open_events
from facsim.evaluate.c2st_challenge import ChallengeSettings, challenge_test, low_level
from facsim.models.sampling import TorchSampler
from facsim.models.shipped import load_shipped

SEED = 1


def main() -> None:
    """Sample, train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--surrogate", default="par04")
    parser.add_argument("--showers", type=int, default=7000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--planes", nargs=4, type=int, default=[16, 32, 32, 64])
    parser.add_argument("--candidates", type=int, default=2)
    parser.add_argument("--layer-candidates", type=int, default=4)
    given = parser.parse_args()
    torch.set_num_threads(1)
    showers = open_events(given.truth)
    first, second = (showers.read(k * given.showers, (k + 1) * given.showers) for k in (0, 1))
    geometry = first.schema.geometry
    assert isinstance(geometry, CylinderGeometry)
    layers = (len(geometry.layers), geometry.layers[0].n_alpha, geometry.layers[0].n_r)
    changes = {"candidates": given.candidates, "layer_candidates": given.layer_candidates}
    sampler = TorchSampler(load_shipped(given.surrogate, **changes))
    made = sampler.sample(second.cond, generator(SEED, "challenge"))[..., 0]
    settings = ChallengeSettings(
        planes=tuple(given.planes),
        epochs=given.epochs,
        batch_size=given.batch_size,
        repeats=given.repeats,
        double=False,
    )
    energies = [events.condition("incident_energy") for events in (first, second)]
    truth = low_level(first.cells, energies[0])
    print(f"{given.showers} + {given.showers} showers, {given.epochs} epochs in batches of {given.batch_size}")
    for name, cells in (("truth", second.cells), ("truth, 2 % higher", 1.02 * second.cells), (given.surrogate, made)):
        begin = time.process_time()
        test = challenge_test(truth, low_level(cells, energies[1]), settings=settings, layers=layers, seed=SEED)
        took = time.process_time() - begin
        print(
            f"{name}: AUC {test.score.value:.3f} ± {test.score.error:.3f}, {took:.0f} s; {test.score.note}", flush=True
        )


if __name__ == "__main__":
    main()
