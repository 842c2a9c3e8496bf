"""One rule for the edge of the training range, in C++, in C, and wherever Python asks for it."""

from __future__ import annotations

import ctypes
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import facsim
from facsim.core.errors import FacsimError
from facsim.core.ranges import TOLERANCE, bounds
from facsim.core.schema import Feature, given_conditions
from facsim.export.c_check import CModel, compile_c
from facsim.export.c_source import export_c
from facsim.export.cpp_project import SHIPPED
from facsim.metrics.domain import ConditionDomain
from facsim.pipeline.shipped import energy_range
from facsim.simulate.hook.guard import Guard

from .programs import Built, save, write_toy
from .test_c_export import METHODS, fitted, table, written

RANGES = [
    {"name": "incident_energy", "unit": "MeV", "min": 1000.031265965753, "max": 49998.098167375},
    {"name": "eta", "unit": "", "min": -2.0, "max": 0.0},
]


def edges() -> np.ndarray:
    """Conditions (N, 2), one of them at or beside what counts as the range's end, float32."""
    middle, rows = np.array([r["min"] / 2 + r["max"] / 2 for r in RANGES], np.float32), []
    for column, ends in enumerate(np.stack(bounds(*([r[end] for r in RANGES] for end in ("min", "max"))), axis=1)):
        exact = np.float32([RANGES[column]["min"], RANGES[column]["max"]])
        beside = np.nextafter(ends[:, None], np.float32([-np.inf, np.inf])).ravel()
        values = [*ends, *beside, *exact, *np.nextafter(exact, np.float32([-np.inf, np.inf]))]
        values += [1000.0, 50_000.0, 0.0, -1.0] if column == 0 else [-2.1, 0.1]
        for value in values:
            rows.append(middle.copy())
            rows[-1][column] = value
    return np.array(rows)


@pytest.fixture(scope="module")
def inside() -> np.ndarray:
    """What the rule says of each."""
    low, high = [r["min"] for r in RANGES], [r["max"] for r in RANGES]
    low, high = low - TOLERANCE * np.abs(low), high + TOLERANCE * np.abs(high)
    found = ((edges() >= low.astype(np.float32)) & (edges() <= high.astype(np.float32))).all(axis=1)
    assert 8 <= found.sum() <= len(found) - 8
    return found


def test_python(inside: np.ndarray) -> None:
    domain, guard = ConditionDomain.of_ranges(RANGES), Guard(RANGES[0]["min"], RANGES[0]["max"])
    np.testing.assert_array_equal(~domain.outside(edges().astype(np.float64)), inside)
    of_energy = np.flatnonzero(edges()[:, 1] == edges()[0, 1])
    energies = edges()[of_energy, 0].astype(np.float64)
    np.testing.assert_array_equal(np.logical_and(*guard.in_range(energies)), inside[of_energy])
    for energy, expected in zip(energies.tolist(), inside[of_energy], strict=True):
        if expected:
            assert energy_range(energy / 1e3, RANGES[0], "it")[0] == pytest.approx(energy)
        elif energy > 0:
            with pytest.raises(FacsimError, match="outside"):
                energy_range(energy / 1e3, RANGES[0], "it")


def test_a_domain_that_knows_more_has_the_same_range(inside: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    cond = np.column_stack([rng.uniform(r["min"], r["max"], 20_000) for r in RANGES])
    cond[0], cond[1] = ([r[end] for r in RANGES] for end in ("min", "max"))
    fitted = ConditionDomain.fit(cond, [r["name"] for r in RANGES], seed=1)
    np.testing.assert_array_equal(~fitted.outside(edges().astype(np.float64)), inside)


def test_cpp(built: Built, inside: np.ndarray, tmp_path: Path) -> None:
    changes = {f"inputs.condition.columns.{i}.{key}": r[key] for i, r in enumerate(RANGES) for key in ("min", "max")}
    graph, card = write_toy(tmp_path, **changes)
    (cond,) = save(tmp_path, {"cond": edges()})
    told = built.text("inside", graph, card, cond).split()
    np.testing.assert_array_equal([word == "1" for word in told], inside)
    header = (SHIPPED / "include" / "facsim" / "guard.hpp").read_text()
    assert float(re.search(r"range_tolerance = ([\d.]+);", header)[1]) == TOLERANCE  # type: ignore[index]


def test_c(inside: np.ndarray, tmp_path: Path) -> None:
    schema, batch = table()
    model = fitted(schema, batch, METHODS["gan"])
    graph, _, facts = written(model, batch, tmp_path)
    source, _ = export_c(graph, tmp_path, replace(facts, ranges=RANGES))
    compile_c(source, tmp_path / "toy.so")
    compiled = CModel.of(ctypes.CDLL(str(tmp_path / "toy.so")), facts)
    noise = compiled.noise(1, np.arange(len(inside)))
    np.testing.assert_array_equal(compiled.sample(edges(), noise)[1], np.where(inside, 0, 1))


def test_coordinates_of_given_points_have_no_range_in_c(tmp_path: Path) -> None:
    schema, batch = table()
    columns = (Feature("x"), Feature("y"), Feature("size"))
    schema = replace(schema, conditions=(*schema.conditions, *given_conditions(1, columns, "g")), given=1)
    cond = torch.cat([batch.cond, torch.rand((len(batch.cond), 3))], dim=1)
    batch = replace(batch, cond=cond)
    _, source, facts = written(fitted(schema, batch, METHODS["gan"]), batch, tmp_path)
    compile_c(source, tmp_path / "toy.so")
    compiled = CModel.of(ctypes.CDLL(str(tmp_path / "toy.so")), facts)
    asked = np.repeat(cond[:1].numpy(), 3, axis=0)
    asked[1, 2:], asked[2, 0] = 9.0, 900.0
    assert compiled.sample(asked, compiled.noise(1, np.arange(3)))[1].tolist() == [0, 0, 1]


def test_the_shipped_model_takes_the_numbers_that_its_page_names() -> None:
    sampler = facsim.load("par04", candidates=1)
    events = sampler.events([1000.0, 50_000.0], seed=1, outside="refuse")
    assert events.cells.shape == (2, 6480)
    flagged = sampler.events([985.0, 1000.0, 50_000.0, 51_000.0], outside="flag").target
    assert flagged is not None
    assert flagged.tolist() == [True, False, False, True]
    with pytest.warns(UserWarning, match=r"trained on incident_energy 1000.03 to 49998.1\.$"):
        sampler.events([985.0])
