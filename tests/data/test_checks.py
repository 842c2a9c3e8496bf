"""Broken samples stop with a sentence that names the event; odd ones are warned about with the cure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.geometry import CylinderGeometry, Layer, regular_cylinder
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.data.checks import CheckReport, check_alike, check_events, compare_reports
from facsim.physics.geometries import GEOMETRIES


def check(events: Events) -> CheckReport:
    return check_events(MemorySource(events), "sample.h5")


def with_cell(events: Events, event: int, value: float) -> Events:
    x = events.x.copy()
    x[event, 5] = value
    return replace(events, x=x)


def with_energy(events: Events, event: int, value: float) -> Events:
    cond = events.cond.copy()
    cond[event] = value
    return replace(events, cond=cond)


def test_good_sample(photons: Events) -> None:
    seen: list[int] = []
    report = check_events(MemorySource(photons), "sample.h5", seen.append)
    assert (report.events, report.warnings, report.empty) == (40, [], 0)
    assert report.energy_range == (photons.cond.min(), photons.cond.max())
    assert report.ratio == pytest.approx(0.8, rel=1e-5)
    assert seen == [40]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda e: with_cell(e, 7, np.nan), r"NaN or infinite values in 1 of events 0 to 39, the first in event 7"),
        (lambda e: with_cell(e, 39, np.inf), "the first in event 39"),
        (lambda e: with_cell(with_cell(e, 1, -np.inf), 1, np.inf), "the first in event 1"),
        (lambda e: with_cell(e, 3, -0.25), r"negative cell energies, the first in event 3 \(-0.25 MeV\)"),
        (lambda e: with_energy(e, 4, 0.0), "the incident energy of event 4 is 0 MeV, not positive"),
        (lambda e: with_energy(e, 4, -5.0), "the incident energy of event 4 is -5 MeV"),
        (lambda e: with_energy(e, 4, np.nan), "'incident_energy' of event 4 is not a finite number"),
        (lambda e: replace(e, weight=np.full(40, np.nan)), "the weights hold values that are not finite"),
        (lambda e: e[:0], "holds no events"),
    ],
)
def test_broken_samples(photons: Events, spoil: Callable[[Events], Events], sentence: str) -> None:
    with pytest.raises(FacsimError, match=sentence) as caught:
        check(spoil(photons))
    assert "'sample.h5'" in str(caught.value)


def test_events_are_counted_through_the_batches() -> None:
    """Large showers are checked in several batches; the event's number must be that of the file."""
    geometry = regular_cylinder("big", "electron", 45, 100, 90, 1.0, 0.0)
    x = np.zeros((60, geometry.n_cells, 1), dtype=np.float32)
    x[:, 0] = 900.0
    x[55, 7] = np.nan
    events = make_events(calorimeter_schema(geometry), x, np.full((60, 1), 1000.0))
    with pytest.raises(FacsimError, match=r"in 1 of events 41 to 59, the first in event 55"):
        check(events)


@given(st.integers(-4, 4).filter(bool), st.floats(0.2, 1.2))
def test_units_off_by_a_thousand_name_the_factor(power: int, ratio: float) -> None:
    geometry = regular_cylinder("g", "electron", 2, 1, 2, 1.0, 0.0)
    scale = 1000.0**power
    x = np.full((5, 4, 1), 1000.0 * ratio * scale / 4)
    report = check(make_events(calorimeter_schema(geometry), x, np.full((5, 1), 1000.0)))
    (warning,) = report.warnings
    assert f"multiplying its cell energies by {1 / scale:g} (or its incident energies by {scale:g})" in warning
    assert f"would give {ratio:.3g}" in warning


@pytest.mark.parametrize("ratio", [0.011, 0.03, 1.0, 90.0])
def test_plausible_ratios_are_not_warned_about(ratio: float) -> None:
    geometry = regular_cylinder("g", "electron", 2, 1, 2, 1.0, 0.0)
    x = np.full((5, 4, 1), 1000.0 * ratio / 4)
    assert check(make_events(calorimeter_schema(geometry), x, np.full((5, 1), 1000.0))).warnings == []


def test_empty_showers_are_counted(photons: Events) -> None:
    x = photons.x.copy()
    x[:10] = 0
    report = check(replace(photons, x=x))
    assert report.warnings == ["10 of the 40 showers in 'sample.h5' have no energy at all."]
    assert report.ratio == pytest.approx(0.8, rel=1e-5)
    x[:] = 0
    assert check(replace(photons, x=x)).ratio is None


def test_tables_have_no_units_to_check() -> None:
    schema = Schema("table", (Feature("dll"),))
    rows = np.linspace(-5, 5, 12).reshape(6, 2)[:, :1]
    report = check(make_events(schema, rows, np.zeros((6, 0))))
    assert (report.events, report.energy_range, report.ratio, report.warnings) == (6, None, None, [])
    with pytest.raises(FacsimError, match="the first in event 2"):
        check(make_events(schema, np.where(np.arange(6)[:, None] == 2, np.nan, rows), np.zeros((6, 0))))


def grid(*layers: Layer) -> Schema:
    return calorimeter_schema(CylinderGeometry("g", "electron", layers))


@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [
        (
            calorimeter_schema(GEOMETRIES["ds1-photons"]),
            calorimeter_schema(GEOMETRIES["ds1-pions"]),
            r"different geometries: 368 cells \(ds1-photons\) and 533 cells \(ds1-pions\)",
        ),
        (grid(Layer(0, (0, 1, 2), 1)), grid(Layer(0, (0, 1), 1), Layer(1, (0, 1), 1)), "1 layers .* and 2 layers"),
        (grid(Layer(0, (0, 1), 4)), grid(Layer(0, (0, 2), 4)), r"layer 0 \(4 sectors, rings at \[0, 1\] mm\)"),
        (grid(Layer(0, (0, 1), 1)), Schema("table", (Feature("energy", "MeV"),)), "holds a grid, 'b' a table"),
        (Schema("table", (Feature("pt"),)), Schema("table", (Feature("p"),)), r"columns \['pt'\], 'b' has \['p'\]"),
    ],
)
def test_samples_of_different_detectors(a: Schema, b: Schema, sentence: str) -> None:
    with pytest.raises(FacsimError, match=sentence):
        check_alike(a, b, "a", "b")


def test_alike_whatever_the_name_and_provenance() -> None:
    geometry = GEOMETRIES["ds2-electrons"]
    other = replace(geometry, name="par04")
    check_alike(calorimeter_schema(geometry), calorimeter_schema(other, provenance={"seed": 1}), "a", "b")


def test_comparison_warns_of_units_and_of_disjoint_energies() -> None:
    a = CheckReport("a.h5", 10, (1e3, 5e4), 0.9)
    assert compare_reports(a, CheckReport("b.h5", 10, (2e4, 1e6), 0.7)) == []
    (units,) = compare_reports(a, CheckReport("b.h5", 10, (1e3, 5e4), 900.0))
    assert "'b.h5' deposits 1e+03 times the share" in units
    assert "off by 1000" in units
    (disjoint,) = compare_reports(a, CheckReport("b.h5", 10, (1e6, 2e6), 0.9))
    assert disjoint == (
        "the incident energies do not overlap: 1000 to 5e+04 MeV in 'a.h5', 1e+06 to 2e+06 MeV in 'b.h5'."
    )
    assert compare_reports(a, CheckReport("table.h5", 10)) == []
