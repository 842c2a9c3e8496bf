"""Students with smaller networks or fewer steps: what they begin with, and what they learn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.core.geometry import regular_cylinder
from facsim.core.schema import Feature, Schema, calorimeter_schema, given_conditions
from facsim.models import EventModel
from facsim.models.base import Batch
from facsim.models.checkpoint import build_model, load_model, save_model
from facsim.models.distilled import Distilled
from facsim.models.fewer_steps import begin_students, distilled_options, steps_of, with_fewer
from facsim.models.probability_flow import ProbabilityFlow
from facsim.models.sampled_layers import sample_once
from facsim.models.smaller import begin_as, methods_of, phases_with, smaller_options

TABLE = Schema("table", tuple(Feature(name) for name in "abc"), (Feature("c"),))
COND = torch.linspace(-1, 1, 30)[:, None]
FLOW = {"name": "flow-matching", "steps": 6, "prior": "gaussian"}


def built(options: dict[str, object], schema: Schema = TABLE, name: str = "single-stage") -> EventModel:
    torch.manual_seed(2)
    model = build_model(name, schema, options)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    assert isinstance(model, EventModel)
    return model.eval()


def table_model(method: dict[str, object]) -> EventModel:
    return built({"method": method, "transform": "standard"})


def showers() -> EventModel:
    return built({"bins": 1}, calorimeter_schema(regular_cylinder("toy", "electron", 3, 4, 2, 1.0, 0.1)), "two-stage")


@pytest.mark.parametrize(
    ("method", "network"),
    [
        (FLOW, {"name": "residual-mlp", "width": 48}),
        ({**FLOW, "network": {"name": "mlp", "widths": [20, 10]}}, {"name": "mlp", "widths": [5, 2]}),
        ({"name": "distilled", "teacher": FLOW}, {"name": "residual-mlp", "width": 48}),
    ],
)
def test_networks_become_smaller(method: dict[str, object], network: dict[str, object]) -> None:
    model = table_model(method)
    options = smaller_options(model, 0.25)
    assert options["method"]["network"] == network
    small = build_model("single-stage", TABLE, options)
    assert sum(p.numel() for p in small.parameters()) < 0.3 * sum(p.numel() for p in model.parameters())


def test_widths_stay_multiples_of_heads_and_autoregressive_has_its_own() -> None:
    options = smaller_options(showers(), 0.3)
    assert options["pattern"]["network"] == {"name": "layer-transformer", "width": 20}
    assert options["layers"]["network"] == {"name": "residual-mlp", "width": 58}
    assert smaller_options(table_model({"name": "autoregressive", "width": 40}), 0.5)["method"]["width"] == 20


def test_a_student_begins_with_all_but_the_network_and_only_its_phases_are_trained() -> None:
    teacher = showers()
    student = build_model("two-stage", teacher.schema, smaller_options(teacher, 0.5))
    assert isinstance(student, EventModel)
    new = begin_as(student, teacher)
    assert new
    assert all(".net." in name for name in new)
    assert phases_with(student, new) == ("layer-flow", "pattern-flow")
    same = build_model("two-stage", teacher.schema, teacher.options.model_dump())
    assert begin_as(same, teacher) == frozenset()  # type: ignore[arg-type]


def test_following_has_its_least_value_at_the_teacher() -> None:
    teacher, student = table_model(FLOW), table_model(FLOW)
    batch = Batch(torch.randn(50, 3), torch.randn(50, teacher.method.n_cond))
    leader, follower = methods_of(teacher)["method"], methods_of(student)["method"]
    assert isinstance(leader, ProbabilityFlow)
    assert isinstance(follower, ProbabilityFlow)
    with torch.no_grad():
        found = follower.follow(leader, batch, torch.Generator().manual_seed(1))
        assert float(found) == pytest.approx(0, abs=1e-9)
        next(follower.net.parameters()).add_(0.3)
    loss = follower.follow(leader, batch, torch.Generator().manual_seed(1))
    assert loss.item() > 1e-4
    loss.backward()
    assert all(parameter.grad is None for parameter in leader.net.parameters())


def test_fewer_steps_are_the_same_weights(tmp_path: Path) -> None:
    model = table_model(FLOW)
    save_model(model, "single-stage", tmp_path)
    assert steps_of(model) == {"method": 6}
    quick = load_model(tmp_path, **with_fewer(model, {"method": 2}))
    assert steps_of(quick) == {"method": 2}
    expected = load_model(tmp_path, steps=2)
    assert torch.equal(sample_once(quick, COND), sample_once(expected, COND))
    assert with_fewer(showers(), {"layer_method": 3})["layers"]["steps"] == 3
    assert with_fewer(showers(), {"layer_method": 3})["pattern"]["steps"] == 2


def cloud(given: int) -> EventModel:
    """Points of which the networks read their number, and where some are given, these too."""
    features = (Feature("x"), Feature("y"), Feature("size"))
    conditions = (Feature("c"), *given_conditions(given, features, "gen"))
    schema = Schema("cloud", features, conditions, points=6, given=given)
    method = {**FLOW, "network": {"name": "epic", "width": 8}}
    return built({"method": method, "transform": "standard", "given": {"attend": True}}, schema)


def teacher(which: str) -> EventModel:
    if which in ("cloud", "given"):
        return cloud(4 if which == "given" else 0)
    return showers() if which == "two-stage" else table_model({**FLOW} if which == "flow-matching" else {"name": which})


@pytest.mark.parametrize("kind", ["mean-velocity", "consistency"])
@pytest.mark.parametrize("which", ["flow-matching", "diffusion", "two-stage", "cloud", "given"])
def test_students_of_steps_begin_as_their_teachers(kind: str, which: str) -> None:
    old = teacher(which)
    name = "two-stage" if which == "two-stage" else "single-stage"
    new = build_model(name, old.schema, distilled_options(old, kind, 1, 8))
    assert isinstance(new, EventModel)
    names = begin_students(new, old)  # which compares the velocities
    assert len(names) == (2 if which == "two-stage" else 1)
    cond = torch.rand(5, len(old.schema.conditions)) * (1e4 if which == "two-stage" else 1) + 0.1
    with torch.no_grad():
        assert torch.isfinite(sample_once(new.eval(), cond)).all()
    method = methods_of(new)[names[0]]
    assert isinstance(method, Distilled)
    for key, value in method.student.state_dict().items():
        assert torch.equal(value, method.teacher.net.state_dict()[key])


def test_a_network_that_reads_conditions_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    old = table_model({**FLOW, "network": {"name": "mlp", "widths": [8]}})
    new = build_model("single-stage", TABLE, distilled_options(old, "mean-velocity", 1, 8))
    monkeypatch.setattr("facsim.models.fewer_steps._widened", lambda value, like, *_: torch.zeros_like(like))
    with pytest.raises(FacsimError, match="kind=consistency"):
        begin_students(new, old)  # type: ignore[arg-type]


def test_a_network_with_columns_that_cannot_be_told_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    old = cloud(4)
    new = build_model("single-stage", old.schema, distilled_options(old, "mean-velocity", 1, 8))
    monkeypatch.setattr("facsim.models.fewer_steps._columns_of", lambda student: (student.n_cond, 0))
    with pytest.raises(FacsimError, match="kind=consistency"):
        begin_students(new, old)  # type: ignore[arg-type]
