"""Metrics of events that a training can be steered by: physical units in, a few numbers of each event out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from facsim.core.errors import FacsimError
from facsim.core.image import ImageGeometry
from facsim.core.schema import Schema
from facsim.models.choices import known
from facsim.physics import ecal_observables as ecal
from facsim.physics.jet_schema import is_jets
from facsim.physics.jets import jet_features

LEAST = 1e-6


@dataclass(frozen=True)
class Metric:
    """Numbers of each event.

    Args:
        values: events (N, ...) in physical units as in `Events`, conditions (N, K), schema -> (N, D), finite.
        names: of the D numbers for events of a schema; none for events that have no such metric.
        differentiable: whether gradients say how a cell or feature changes the numbers.
    """

    values: Callable[[Tensor, Tensor, Schema], Tensor]
    names: Callable[[Schema], tuple[str, ...]]
    differentiable: bool = True


def total(x: Tensor, cond: Tensor, schema: Schema) -> Tensor:
    """log10 of one and the sum of the cells of a channel, (N, C); in units of the threshold where there is one."""
    threshold = 0.0 if schema.geometry is None else schema.geometry.threshold
    return torch.log10(1 + x.sum(1) / (threshold if threshold > 0 else 1.0))


def lit(x: Tensor, cond: Tensor, schema: Schema) -> Tensor:
    """Share of the cells that hold anything, (N, C)."""
    return (x > 0).to(x).mean(1)


def moments(x: Tensor, cond: Tensor, schema: Schema) -> Tensor:
    """Barycentre along rows and columns, variances along both, covariance, of the first channel of images: (N, 5).

    In the units of the edges (squared). An empty image counts as uniform (arXiv 2012.04595, section 5).
    """
    geometry = _image(schema)
    rows, columns = (torch.as_tensor(c, dtype=x.dtype, device=x.device) for c in geometry.centres)
    image = x[..., 0].reshape(-1, *geometry.image) + LEAST
    share = image / image.sum((1, 2), keepdim=True)
    along, across = share.sum(2), share.sum(1)
    row, column = (along * rows).sum(1, keepdim=True), (across * columns).sum(1, keepdim=True)
    dr, dc = rows - row, columns - column
    covariance = torch.einsum("nrc,nr,nc->n", share, dr, dc)
    return torch.stack([row[:, 0], column[:, 0], (along * dr**2).sum(1), (across * dc**2).sum(1), covariance], 1)


def columns(x: Tensor, cond: Tensor, schema: Schema) -> Tensor:
    """The features of a table themselves, (N, F)."""
    return x


def differences(x: Tensor, cond: Tensor, schema: Schema) -> Tensor:
    """Differences of all pairs of a table's features, (N, F (F - 1) / 2): those of log-likelihoods separate species."""
    pairs = list(combinations(range(x.shape[1]), 2))
    return torch.stack([x[:, i] - x[:, j] for i, j in pairs], 1)


def ecal_asymmetry(x: Tensor, cond: Tensor, schema: Schema) -> Tensor:
    """Longitudinal and transverse asymmetry of showers on an image (`physics.ecal_observables`), (N, 2)."""
    found: Tensor = ecal.asymmetries(x[..., 0], _frame(cond, schema))
    return found


def ecal_widths(x: Tensor, cond: Tensor, schema: Schema) -> Tensor:
    """Widths of showers along and across the slope, in the unit of the edges, (N, 2)."""
    found: Tensor = ecal.widths(x[..., 0], _frame(cond, schema))
    return found


def jets(x: Tensor, cond: Tensor, schema: Schema) -> Tensor:
    """pT and mass of jets over the pT that their particles are relative to, (N, 2)."""
    found = jet_features(x)
    return torch.stack([found["pt"], found["mass"]], 1)


def _frame(cond: Tensor, schema: Schema) -> ecal.Frame:
    return ecal.shower_frame(ecal.incidence(cond, schema), _image(schema))


def _of_showers(*names: str) -> Callable[[Schema], tuple[str, ...]]:
    wanted = {*ecal.MOMENTUM, *ecal.POINT}

    def of(schema: Schema) -> tuple[str, ...]:
        given = {feature.name for feature in schema.conditions}
        return names if isinstance(schema.geometry, ImageGeometry) and wanted <= given else ()

    return of


def _image(schema: Schema) -> ImageGeometry:
    assert isinstance(schema.geometry, ImageGeometry)
    return schema.geometry


def _of_channels(what: str) -> Callable[[Schema], tuple[str, ...]]:
    return lambda schema: (
        tuple(f"{what} of {f.name}" for f in schema.features) if schema.representation == "grid" else ()
    )


def _of_images(*names: str) -> Callable[[Schema], tuple[str, ...]]:
    return lambda schema: names if isinstance(schema.geometry, ImageGeometry) else ()


def _of_columns(schema: Schema) -> tuple[str, ...]:
    return tuple(f.name for f in schema.features) if schema.representation == "table" else ()


def _of_jets(schema: Schema) -> tuple[str, ...]:
    return ("jet pT", "jet mass") if is_jets(schema) else ()


def _of_pairs(schema: Schema) -> tuple[str, ...]:
    return tuple(f"{a} - {b}" for a, b in combinations(_of_columns(schema), 2))


METRICS: dict[str, Metric] = {
    "columns": Metric(columns, _of_columns),
    "differences": Metric(differences, _of_pairs),
    "ecal-asymmetry": Metric(ecal_asymmetry, _of_showers("longitudinal asymmetry", "transverse asymmetry")),
    "ecal-widths": Metric(ecal_widths, _of_showers("longitudinal width", "transverse width")),
    "jets": Metric(jets, _of_jets),
    "lit": Metric(lit, _of_channels("lit cells"), differentiable=False),
    "moments": Metric(moments, _of_images("row", "column", "row variance", "column variance", "covariance")),
    "total": Metric(total, _of_channels("total")),
}
"""Name to metric. To add one: a function of (x, cond, schema) and a line here."""


def find_metric(name: str, schema: Schema) -> tuple[Metric, tuple[str, ...]]:
    """The metric `name` and the names of its numbers for events of `schema`.

    Raises:
        FacsimError: there is none, or not of such events.
    """
    known(name, METRICS, "metric to steer by")
    names = METRICS[name].names(schema)
    if not names:
        fitting = sorted(key for key, metric in METRICS.items() if metric.names(schema))
        raise FacsimError(
            f"the metric '{name}' is not of such events ({schema.representation}): choose one of {fitting}."
        )
    return METRICS[name], names


def metric_values(metric: Metric, x: Tensor, cond: Tensor, schema: Schema) -> Tensor:
    """Numbers (N, D) of events; nothing outside of what single precision holds."""
    found: Any = metric.values(x, cond, schema)
    values: Tensor = found.to(x.dtype)
    return values.nan_to_num(0.0, 0.0, 0.0)
