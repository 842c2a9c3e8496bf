"""Features of images in closed form: one cell, two opposite ones, an even ring, nothing at all."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.image import ImageGeometry, regular_image
from facsim.core.schema import Feature, Schema
from facsim.physics.image_features import feature_names, image_features, sphericity

ROWS, COLUMNS = 24, 10
GEOMETRY = regular_image("toy", (-math.pi, math.pi, ROWS), (-2.5, 2.5, COLUMNS), units=("rad", ""))
CHANNELS = tuple(Feature(name, "GeV") for name in ("tracker", "ecal", "hcal"))
SCHEMA = Schema("grid", CHANNELS, (), GEOMETRY)
NAMES = feature_names(SCHEMA)


def named(x: np.ndarray, geometry: ImageGeometry = GEOMETRY) -> dict[str, float]:
    """Features of the first of images (N, rows, columns, 3)."""
    found = image_features(x.reshape(len(x), -1, 3), geometry, CHANNELS)
    assert found.shape == (len(x), len(NAMES))
    return dict(zip(NAMES, found[0].tolist(), strict=True))


def test_one_cell() -> None:
    x = np.zeros((1, ROWS, COLUMNS, 3))
    x[0, 5, 7, 1] = 9.0
    found = named(x)
    assert (found["ecal_sum"], found["ecal_hits"], found["ecal_largest"], found["ecal_entropy"]) == (9, 1, 1, 0)
    assert [found[f"hcal_{name}"] for name in ("sum", "hits", "largest", "entropy")] == [0, 0, 0, 0]
    assert found["met"] == pytest.approx(9)
    assert found["met_significance"] == pytest.approx(3)
    assert found["eta_mean"] == pytest.approx(1.25)
    assert [found[name] for name in ("asymmetry_3", "asymmetry_4")] == pytest.approx([1, 1])
    assert [found[name] for name in ("sphericity", "eta_spread", "phi_spread")] == pytest.approx([0, 0, 0], abs=1e-6)


def test_two_cells_back_to_back() -> None:
    x = np.zeros((1, ROWS, COLUMNS, 3))
    x[0, 3, 2, 2] = x[0, 3 + ROWS // 2, 7, 2] = 50.0
    found = named(x)
    assert (found["ht"], found["hcal_hits"], found["hcal_largest"]) == (100, 2, 0.5)
    assert found["hcal_entropy"] == pytest.approx(math.log(2))
    assert [found["met"], found["sphericity"], found["asymmetry_3"]] == pytest.approx([0, 0, 0], abs=1e-9)
    assert (found["eta_mean"], found["eta_spread"], found["phi_spread"]) == pytest.approx((1.25, 1.25, math.sqrt(2)))
    assert found["asymmetry_4"] == pytest.approx(1)


def test_an_even_ring_is_a_sphere_and_tracks_are_not_missing() -> None:
    x = np.zeros((1, ROWS, COLUMNS, 3))
    x[0, :, 4, 1] = 2.0
    x[0, 0, 4, 0] = 30.0
    found = named(x)
    assert found["ecal_entropy"] == pytest.approx(math.log(ROWS))
    assert (found["ht"], found["tracker_sum"]) == (2 * ROWS, 30)
    assert found["met"] == pytest.approx(0, abs=1e-9)
    assert found["sphericity"] == pytest.approx(1 - 30 / (30 + 2 * ROWS))
    x[0, 0, 4, 0] = 0
    assert sphericity(x.reshape(1, -1, 3), GEOMETRY) == pytest.approx(np.ones(1))


@given(st.integers(0, 1000))
def test_the_sphericity_is_that_of_the_eigenvalues(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.exponential(size=(1, ROWS, COLUMNS, 3)) * (rng.random((1, ROWS, COLUMNS, 3)) < 0.05)
    x[0, 0, 0, 0] = 1.0
    momentum, phi = x.sum((0, 2, 3)), GEOMETRY.centres[0]
    unit = np.stack([np.cos(phi), np.sin(phi)])
    low, high = np.linalg.eigvalsh((momentum * unit) @ unit.T)
    assert sphericity(x.reshape(1, -1, 3), GEOMETRY)[0] == pytest.approx(2 * low / (low + high))


def test_empty_images_have_no_features_and_tensors_have_gradients() -> None:
    rng = np.random.default_rng(1)
    x = rng.exponential(size=(5, ROWS * COLUMNS, 3)) * (rng.random((5, ROWS * COLUMNS, 3)) < 0.1)
    x[2] = 0
    found = image_features(x, GEOMETRY, CHANNELS)
    assert np.isfinite(found).all()
    assert not found[2].any()
    tensor = torch.from_numpy(x).requires_grad_()
    same = image_features(tensor, GEOMETRY, CHANNELS)
    assert same.detach().numpy() == pytest.approx(found, abs=1e-6)
    assert image_features(x.astype(np.float32), GEOMETRY, CHANNELS) == pytest.approx(found, rel=1e-3, abs=1e-3)
    same.sum().backward()
    assert tensor.grad is not None
    assert bool(torch.isfinite(tensor.grad).all())
    assert bool((tensor.grad[0] != 0).any())


def test_features_in_half_precision_do_not_overflow() -> None:
    x = np.full((1, ROWS * COLUMNS, 3), 1000, np.float16)
    found = image_features(x, GEOMETRY, CHANNELS)
    assert found.dtype == np.float32
    assert found[0, 0] == pytest.approx(1000 * ROWS * COLUMNS)


def test_axes_of_other_order_and_planes_without_angles() -> None:
    turned = regular_image("turned", (-2.5, 2.5, COLUMNS), (-math.pi, math.pi, ROWS), units=("", "rad"))
    rng = np.random.default_rng(2)
    x = rng.exponential(size=(1, ROWS, COLUMNS, 3))
    assert named(x.transpose(0, 2, 1, 3), turned) == pytest.approx(named(x))
    plane = regular_image("face", (0, 80, 8), (0, 80, 8))
    ring = np.zeros((1, 8, 8, 1))
    ring[0, 0, 0] = ring[0, 0, 7] = ring[0, 7, 0] = ring[0, 7, 7] = 3.0
    found = dict(zip(feature_names(Schema("grid", (Feature("e"),), (), plane)), np.ones(13), strict=True))
    found |= dict(zip(found, image_features(ring.reshape(1, 64, 1), plane)[0], strict=True))
    assert (found["sphericity"], found["met"]) == pytest.approx((1, 0), abs=1e-9)
    assert found["eta_mean"] == pytest.approx(35 * math.sqrt(2))


def test_cells_below_the_threshold_count_as_none() -> None:
    above = regular_image("toy", (-math.pi, math.pi, ROWS), (-2.5, 2.5, COLUMNS), units=("rad", ""), threshold=1.0)
    x = np.zeros((1, ROWS * COLUMNS, 3))
    x[0, :3, 1] = 0.5, 1.0, -4.0
    found = dict(zip(NAMES, image_features(x, above, CHANNELS)[0], strict=True))
    assert (found["ecal_sum"], found["ecal_hits"]) == (1, 1)


def test_features_export_to_onnx(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")

    class Features(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return image_features(x, GEOMETRY, CHANNELS)

    rng = np.random.default_rng(3)
    x = (rng.exponential(size=(6, ROWS * COLUMNS, 3)) * (rng.random((6, ROWS * COLUMNS, 3)) < 0.1)).astype(np.float32)
    x[1] = 0
    path = str(tmp_path / "features.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axes = {"x": {0: "batch"}, "y": {0: "batch"}}
        options = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": axes, "dynamo": False}
        torch.onnx.export(Features(), (torch.from_numpy(x[:2]),), path, **options)
    found = onnxruntime.InferenceSession(path).run(None, {"x": x})[0]
    assert found == pytest.approx(image_features(x, GEOMETRY, CHANNELS), rel=1e-4, abs=1e-4)


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(FacsimError, match="need images, not a table"):
        feature_names(Schema("table", (Feature("a"),)))
    with pytest.raises(FacsimError, match="has 240 cells"):
        image_features(np.zeros((1, 12, 3)), GEOMETRY)
    with pytest.raises(FacsimError, match="cannot have the channels"):
        image_features(np.zeros((1, 240, 2)), GEOMETRY, CHANNELS)
