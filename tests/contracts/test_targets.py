"""Methods that train by likelihood or regression reach distributions known in closed form, judged by KPD."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from facsim.evaluate.targets import TARGETS, distance, learn
from facsim.models.choices import Choice
from facsim.models.methods import build_method

NETWORK = {"name": "residual-mlp", "width": 64, "depth": 2}
METHODS: dict[str, dict[str, Any]] = {
    "diffusion": {},
    "flow-matching": {"steps": 16, "solver": "heun"},
    "flow": {"layers": 3},
}
STEPS = {"diffusion": 1000, "flow-matching": 600, "flow": 350}


@pytest.mark.slow
@pytest.mark.parametrize("target", ["mixture", "ring", "ramp"])
@pytest.mark.parametrize("name", sorted(METHODS))
def test_known_distributions_are_reached(name: str, target: str) -> None:
    truth = TARGETS[target]
    torch.manual_seed(0)
    method = build_method(Choice(name=name, network=NETWORK, **METHODS[name]), truth.space, truth.n_cond)
    learn(method, truth, STEPS[name], 256)
    assert distance(method, truth, 10_000).p_value > 0.01


def test_a_method_that_has_not_learned_is_told_apart() -> None:
    truth = TARGETS["mixture"]
    method = build_method(Choice(name="flow-matching", network=NETWORK), truth.space, truth.n_cond).eval()
    assert distance(method, truth, 10_000).p_value < 0.01
