"""Regions of images: sums are kept exactly where cells do not divide evenly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.image import ImageGeometry, regular_image
from facsim.physics.image_regions import LEVEL_1, region_shares

IMAGE = regular_image("cms", (-math.pi, math.pi, 72), (-2.5, 2.5, 58), units=("rad", ""))


def test_level_1_regions_keep_all_energy_and_share_cells_by_area() -> None:
    rows, columns = region_shares(IMAGE, LEVEL_1)
    assert (rows.shape, columns.shape) == ((72, 18), (58, 14))
    assert rows.sum(1) == pytest.approx(np.ones(72), abs=1e-12)
    assert columns.sum(1) == pytest.approx(np.ones(58), abs=1e-12)
    assert np.array_equal(rows > 0.5, np.arange(72)[:, None] // 4 == np.arange(18))
    assert columns.sum(0) == pytest.approx(np.full(14, 58 / 14))
    assert columns[4, :2] == pytest.approx([58 / 14 - 4, 5 - 58 / 14])
    image = np.random.default_rng(1).exponential(size=(72, 58))
    assert (rows.T @ image @ columns).sum() == pytest.approx(image.sum(), rel=1e-12)


def test_the_angle_is_found_where_it_is_and_edges_may_be_uneven() -> None:
    turned = regular_image("turned", (-2.5, 2.5, 58), (-math.pi, math.pi, 72), units=("", "rad"))
    assert [part.shape for part in region_shares(turned)] == [(58, 14), (72, 18)]
    uneven = ImageGeometry("uneven", (0, 1, 4), (0.0, 1.0, 2.0, 6.0))
    rows, columns = region_shares(uneven, (1, 2))
    assert rows.tolist() == [[1], [1]]
    assert columns == pytest.approx(np.array([[1, 0], [1, 0], [0.25, 0.75]]))


def test_more_regions_than_cells_are_refused() -> None:
    with pytest.raises(FacsimError, match="100 regions cannot be made of 72 rows"):
        region_shares(IMAGE, (100, 14))
