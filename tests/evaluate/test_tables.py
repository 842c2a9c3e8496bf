"""Scores of tables: columns, a user's own observables, all together, and bad events."""

from __future__ import annotations

import json

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.evaluate.tables import score_table


def table(seed: int, n: int = 800, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1.0, n)
    return np.column_stack([x, np.exp(0.3 * rng.normal(size=n))])


def test_truth_passes_and_a_shift_is_found_where_it_is() -> None:
    reference, null = table(1), table(2)
    good = score_table(reference, table(3), null=null, names=["eta", "pt"])
    assert good.validity.ok
    assert max(abs(score.z) for score in good.scores if not np.isnan(score.z)) < 4
    bad = score_table(reference, table(3, shift=0.4), null=null, names=["eta", "pt"])
    found = {score.name: score for score in bad.scores}
    assert found["w1/eta"].z > 4 > abs(found["w1/pt"].z)
    assert found["fpd"].p_value < 0.02
    assert found["auc"].z > 4
    assert bad.tests[0].name == "eta"
    assert bad.tests[0].p_holm < 1e-6
    json.dumps(bad.to_dict(), allow_nan=False)


def test_one_function_adds_an_observable() -> None:
    """The sum of two columns with an opposite shift is wrong in a way that no column is."""
    rng = np.random.default_rng(4)
    reference = rng.normal(size=(2000, 2))
    candidate = rng.normal(size=(2000, 2))
    candidate[:, 1] = -0.9 * candidate[:, 0] + np.sqrt(1 - 0.81) * candidate[:, 1]
    found = score_table(reference, candidate, observables={"sum": lambda x: x.sum(axis=1)})
    by_name = {test.name: test for test in found.tests}
    assert by_name["sum"].p_holm < 1e-6
    assert by_name["x0"].p_holm > 0.01
    assert by_name["x1"].p_holm > 0.01


def test_bad_events_are_counted_and_left_out() -> None:
    candidate = table(3)
    candidate[5, 0] = np.nan
    found = score_table(table(1), candidate)
    assert found.validity.not_finite.tolist() == [5]
    assert not found.to_dict()["valid"]
    assert next(score for score in found.scores if score.name == "fpd").n_generated == 799


def test_mistakes_are_told() -> None:
    with pytest.raises(FacsimError, match="as many different names"):
        score_table(table(1), table(2), names=["a", "a"])
    with pytest.raises(FacsimError, match="observable 'mean' gave shape"):
        score_table(table(1), table(2), observables={"mean": lambda x: x.mean()})
    with pytest.raises(FacsimError, match="shapes"):
        score_table(table(1), table(2), null=table(3)[:, :1])
    with pytest.raises(FacsimError, match="not finite"):
        score_table(table(1), table(2), null=np.where(table(3) > 2, np.nan, table(3)))


def test_observables_are_a_dictionary_of_new_names() -> None:
    with pytest.raises(FacsimError, match="dictionary of names"):
        score_table(table(1), table(2), observables=np.sum)
    with pytest.raises(FacsimError, match=r"\['pt'\] are columns already"):
        score_table(table(1), table(2), names=["eta", "pt"], observables={"pt": lambda x: x[:, 1]})
