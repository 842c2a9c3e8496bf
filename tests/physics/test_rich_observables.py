"""Log-likelihood differences, ties and cells of RICH tracks."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.physics.rich import HYPOTHESES, SPECIES
from facsim.physics.rich_observables import (
    CELL_EDGES,
    QUANTITIES,
    SELECTIONS,
    cell_name,
    cell_numbers,
    dll_quantities,
    ties,
)


def test_differences_are_of_the_columns_that_they_name() -> None:
    dlls = np.random.default_rng(1).normal(size=(20, 5))
    found = dll_quantities(dlls)
    names = [quantity.name for quantity in QUANTITIES]
    assert found.shape == (20, len(names))
    assert np.array_equal(found[:, :5], dlls)
    by_name = dict(zip((f"RichDLL{name}" for name in HYPOTHESES), dlls.T, strict=True))
    assert np.array_equal(found[:, names.index("p-k")], by_name["RichDLLp"] - by_name["RichDLLk"])
    assert np.array_equal(found[:, names.index("mu-e")], by_name["RichDLLmu"] - by_name["RichDLLe"])


def test_ties_are_exact_values_up_to_rounding() -> None:
    dlls = np.tile([1.0, 2.0, -30.0, -30.0, -31.0], (3, 1))
    dlls[1, 3] += 1e-6
    dlls[2, 3] += 0.01
    assert ties(dlls, "k", "p").tolist() == [True, True, False]
    assert not ties(dlls, "p", "bt").any()


def test_cells_are_all_combinations_of_bins() -> None:
    centres = [0.5 * (np.array(edges[1:]) + edges[:-1]) for edges in CELL_EDGES]
    grid = [axis.ravel() for axis in np.meshgrid(*centres, indexing="ij")]
    assert cell_numbers(*grid).tolist() == list(range(27))
    outside = [np.array([2e6, 2e4, 2e4, -1.0]), np.array([3.0, 1.9, 5.0, 3.0]), np.full(4, 100.0)]
    assert cell_numbers(*outside).tolist() == [-1, -1, -1, -1]
    assert cell_name(0) == "P 0 to 10 GeV, eta 2 to 3, nTracks 0 to 150"
    assert cell_name(26) == "P 50 to 1000 GeV, eta 3.5 to 5, nTracks 250 to 1000"


def test_selections_are_of_species_and_hypotheses_that_exist() -> None:
    names = [selection.name for selection in SELECTIONS]
    assert len(set(names)) == len(names)
    for selection in SELECTIONS:
        assert selection.species in SPECIES
        assert selection.hypothesis in HYPOTHESES
        assert (selection.role == "efficiency") == (selection.species == selection.hypothesis)
    assert pytest.approx(5.0) in [selection.cut for selection in SELECTIONS if selection.species == "k"]
