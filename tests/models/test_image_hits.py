"""Autoencoders that look at hits alone say what dense ones say, to rounding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.models.autoencoder import LARGE, Autoencoder
from facsim.models.checkpoint import build_model
from facsim.models.nets.image_hits import Patterns, convolve_hits, find_hits


def sparse(n: int, cells: int, channels: int, seed: int, share: float = 0.1) -> Tensor:
    """Images (n, cells, channels) in double precision of which a share is hit; the last is empty."""
    rng = torch.Generator().manual_seed(seed)
    x = 3 * torch.rand(n, cells, channels, generator=rng, dtype=torch.float64)
    x[torch.rand(x.shape, generator=rng) > share] = 0
    x[-1] = 0
    return x


def both_ways(image: tuple[int, int], dtype: torch.dtype = torch.float64, **options: Any) -> tuple[Autoencoder, ...]:
    """A model that looks at hits alone, and one with the same weights that looks at all cells."""
    schema = Schema(
        "grid",
        tuple(Feature(name, "GeV") for name in ("tracker", "ecal", "hcal")),
        (),
        regular_image("toy", (0, 1, image[0]), (0, 1, image[1])),
    )
    torch.manual_seed(1)
    models = []
    for alone in (True, False):
        model = build_model("autoencoder", schema, {"output": "patterns", "latent": 4, "sparse": alone, **options})
        assert isinstance(model, Autoencoder)
        models.append(model.to(dtype).eval())
    for norm in (module for module in models[0].modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.normal_(norm.running_mean)  # type: ignore[arg-type]
    models[0].unit.copy_(torch.arange(1, len(models[0].unit) + 1))
    models[1].load_state_dict(models[0].state_dict())
    return tuple(models)


@pytest.mark.parametrize("strides", [[2, 2], [3, 2], [[2, 3], 2], [1, [3, 2]], [4, 2], [[5, 1], 1]], ids=str)
@pytest.mark.parametrize("image", [(11, 14), (12, 12), (13, 7)], ids=str)
def test_scores_from_hits_alone_are_exact(image: tuple[int, int], strides: list[Any]) -> None:
    x = sparse(5, image[0] * image[1], 3, seed=2)
    for error, cells in (("inverse-dice", "energy"), ("mse", "share"), ("mse", "hit"), ("inverse-dice", "log")):
        for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-4)):
            hits, dense = both_ways(image, dtype, widths=[6, 4], strides=strides, error=error, cells=cells)
            found, expected = (model.predict(x.to(dtype), torch.zeros(5, 0)) for model in (hits, dense))
            torch.testing.assert_close(found, expected, rtol=tolerance, atol=0)


def test_gradients_are_those_of_the_dense_way() -> None:
    hits, dense = both_ways((11, 14), widths=[6, 4], strides=[3, 2], channels=["tracker", "hcal"])
    x = sparse(4, 11 * 14, 3, seed=3)[:3]
    for model in (hits, dense):
        model.predict(x, torch.zeros(3, 0)).sum().backward()
    for (name, p), (_, q) in zip(hits.named_parameters(), dense.named_parameters(), strict=True):
        assert p.grad is not None, name
        assert q.grad is not None, name
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-8, atol=1e-8, msg=name)
        assert bool(p.grad.any()), name


def test_full_size_takes_the_large_sizes_and_any_events() -> None:
    for image in ((286, 360), (360, 286)):
        hits, dense = both_ways(image, torch.float32)
        assert [m.out_channels for m in hits.encoder.body if isinstance(m, nn.Conv2d)] == list(LARGE[0])
        x = sparse(3, 286 * 360, 3, seed=4, share=0.01).float()
        with torch.inference_mode():
            found, expected = (model.predict(x, torch.zeros(3, 0)) for model in (hits, dense))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=0)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(3, 12), st.integers(3, 12), st.integers(0, 99))
def test_a_convolution_of_hits_is_a_convolution(down: int, across: int, rows: int, columns: int, seed: int) -> None:
    convolution = nn.Conv2d(2, 3, 3, (down, across), padding=1).double()
    x = sparse(3, rows * columns, 2, seed, share=0.4)
    expected = convolution(x.reshape(3, rows, columns, 2).permute(0, 3, 1, 2))
    found = convolve_hits(convolution, find_hits(x, columns), (expected.shape[2], expected.shape[3]))
    torch.testing.assert_close(found, expected)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_sums_over_patterns(down: int, across: int, rows: int, columns: int, seed: int) -> None:
    layer = Patterns(5, 2, (down, across)).double()  # both narrower and wider than a patch
    rng = torch.Generator().manual_seed(seed)
    h = torch.rand(3, 5, -(-rows // down), -(-columns // across), generator=rng).double()
    made = layer(h)[:, :, :rows, :columns]
    assert bool((made > 0).all())
    torch.testing.assert_close(layer.squares(h, (rows, columns)), made.square().sum((1, 2, 3)))
    x = sparse(3, rows * columns, 2, seed, share=0.4)
    overlap = (made * x.reshape(3, rows, columns, 2).permute(0, 3, 1, 2)).sum((1, 2, 3))
    torch.testing.assert_close(layer.overlap(h, find_hits(x, columns)), overlap)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"sparse": True}, "sparse: true needs output: patterns"),
        (
            {"output": "patterns", "error": "bce", "cells": "hit"},
            "output: patterns needs convolutions, pooling",
        ),
        ({"output": "patterns", "pooling": "average"}, "output: patterns needs convolutions, pooling"),
        ({"widths": [4]}, "as many widths as strides, or neither"),
    ],
    ids=lambda value: "" if isinstance(value, str) else ",".join(value),
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], why: str) -> None:
    schema = Schema("grid", (Feature("et", "GeV"),), (), regular_image("toy", (0, 1, 6), (0, 1, 6)))
    with pytest.raises(FacsimError, match=why):
        build_model("autoencoder", schema, options)
