"""The calibration of jets against responses that are known."""

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.physics.jet_calibration import JetCalibration, fit_calibration

EDGES = (1.0, 2.0)
BINS = np.geomspace(20, 1000, 12)


def response(pt, eta):
    return np.where(np.abs(eta) < 1, 0.85 + 0.02 * np.log(pt / 100), 0.9)


def jets(n, seed):
    rng = generator(seed, "jets")
    true, eta = np.exp(rng.uniform(np.log(20), np.log(1000), n)), rng.uniform(-2, 2, n)
    return true, true * response(true, eta) * rng.normal(1, 0.1, n), eta


def test_calibrated_jets_have_the_true_pt_in_the_mean():
    calibration = fit_calibration(*jets(100_000, 1), EDGES, BINS)
    true, pt, eta = jets(100_000, 2)
    ratio = pt * calibration.factor(pt, eta) / true
    for low, high in ((25, 50), (50, 200), (200, 800)):
        for step in ((np.abs(eta) < 1), (np.abs(eta) > 1)):
            here = step & (true > low) & (true < high)
            # the factor's bend over a bin of 10 % resolution leaves a per mille or two
            assert ratio[here].mean() == pytest.approx(1.0, abs=0.005)


def test_the_factor_is_a_polynomial_inside_of_its_range_and_constant_outside():
    calibration = JetCalibration((1.0, 2.0), ((1.1, 0.1, 0.0, 0.0), (1.2, 0.0, 0.01, 0.001)), (50.0, 400.0))
    log = np.log(2.0)
    pt, eta = np.array([200.0, 200.0, 50.0, 10.0, 900.0]), np.array([0.5, -1.5, 0.1, 0.1, 5.0])
    edge = np.log(4.0)
    assert calibration.factor(pt, eta) == pytest.approx(
        [
            1.1 + 0.1 * log,
            1.2 + 0.01 * log**2 + 0.001 * log**3,
            1.1 - 0.1 * log,
            1.1 - 0.1 * log,
            1.2 + 0.01 * edge**2 + 0.001 * edge**3,
        ]
    )


def test_too_few_jets():
    with pytest.raises(FacsimError, match="needs 4 bins"):
        fit_calibration(*jets(200, 1), EDGES, BINS)


@pytest.mark.parametrize(
    ("eta", "rows", "pt", "message"),
    [
        ((1.0, 2.0), ((1.0, 0.0, 0.0, 0.0),), (20.0, 900.0), "in 2 steps of .* needs 4 coefficients for each"),
        ((1.0,), ((1.0, 0.0),), (20.0, 900.0), r"not \[2\]"),
        ((1.0,), ((1.0, 0.0, 0.0, 0.0),), (0.0, 900.0), "positive and increase"),
    ],
)
def test_calibrations_that_cannot_be(eta, rows, pt, message) -> None:
    with pytest.raises(FacsimError, match=message):
        JetCalibration(eta, rows, pt)
