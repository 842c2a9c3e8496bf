"""What figures of scores of anomaly are drawn from: distributions, the oddest events, a map of the latents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.core.events import EventSource
from facsim.core.image import ImageGeometry
from facsim.core.sources import ConcatSource, SubsetSource, batch_rows
from facsim.evaluate.anomaly.groups import BACKGROUND
from facsim.evaluate.anomaly.judge import Judged
from facsim.evaluate.histograms import uhi_histogram
from facsim.models.predictor import Predictor

FORMAT = "facsim-anomaly-hists-1"
BINS = 40
ODDEST = 2
MAPPED = 150
LARGEST_SIDE = 100
FloatArray = NDArray[np.float64]
Json = dict[str, Any]


def views(judged: Judged, splits: Sequence[EventSource], model: Predictor | None, seed: int) -> Json:
    """What `hists/<name>.json` holds.

    Args:
        judged: a score on the test events. splits: the test events, in the order of the score.
        model: the predictor, for reconstructions and latents. seed: of the events on the map.
    """
    found: Json = {"format": FORMAT, "score": judged.content["chosen"], "items": _distributions(judged)}
    geometry = splits[0].schema.geometry
    if model is None or not isinstance(geometry, ImageGeometry):
        return found
    found["displays"] = _displays(judged, splits, model, geometry)
    found["latents"] = _latents(judged, splits, model, seed)
    return found


def _distributions(judged: Judged) -> list[Json]:
    """Of background and of every kind of signal, on common bins; UHI JSON with weights."""
    background = judged.group == BACKGROUND
    ends = np.quantile(judged.values, [0.002, 0.998])
    outer = np.quantile(judged.values[background], [0.0, 1.0])
    low, high = min(ends[0], outer[0]), max(ends[1], outer[1])
    logarithmic = bool(low > 0 and high > 30 * low)
    edges = np.geomspace(low, high, BINS + 1) if logarithmic else np.linspace(low, high or 1.0, BINS + 1)
    if not np.all(np.diff(edges) > 0):
        return []
    groups = [BACKGROUND, *judged.groups]
    return [
        {
            "name": "score",
            "logarithmic": logarithmic,
            "edges": edges.tolist(),
            "groups": {
                name: uhi_histogram(edges, judged.values[judged.group == name], judged.weight[judged.group == name])
                for name in groups
            },
        }
    ]


def _displays(judged: Judged, splits: Sequence[EventSource], model: Predictor, geometry: ImageGeometry) -> Json:
    """The oddest background events, and of each kind of signal the oddest and one in the middle."""
    chosen: list[tuple[int, str]] = []
    for name in (BACKGROUND, *judged.groups):
        rows = np.flatnonzero(judged.group == name)
        order = rows[np.argsort(-judged.values[rows])]
        middle = [(int(order[len(order) // 2]), f"{name}, median")]
        oddest = [(int(row), f"{name}, no. {k + 1}") for k, row in enumerate(order[:ODDEST])]
        chosen += [*oddest, *middle] if name == BACKGROUND else [oddest[0], *middle]
    source = ConcatSource(splits)
    events = [_event(source, row, words, float(judged.values[row]), model, geometry) for row, words in chosen]
    along, across = geometry.row_edges, geometry.column_edges
    return {
        "channels": [{"name": f.name, "unit": f.unit} for f in source.schema.features],
        "extent": [across[0], across[-1], along[0], along[-1]],
        "labels": _axes(geometry),
        "events": events,
    }


def _axes(geometry: ImageGeometry) -> list[str]:
    """Labels of columns and rows; what goes with an azimuth in radians is a pseudorapidity."""
    row, column = geometry.units
    if row == "rad" and not column:
        return ["$\\eta$", "$\\phi$ [rad]"]
    return [f"columns [{column}]" if column else "columns", f"rows [{row}]" if row else "rows"]


def _event(source: EventSource, row: int, words: str, score: float, model: Predictor, geometry: ImageGeometry) -> Json:
    x = np.asarray(source.read(row, row + 1).x, dtype=np.float32)
    image = x.reshape(*geometry.image, -1).transpose(2, 0, 1)
    found: Json = {"title": words, "score": score, "input": _small(image)}
    with torch.inference_mode():
        both = model.reconstruct(torch.from_numpy(x))
    if both is not None:
        found["seen"], found["made"] = (_small(part[0].numpy()) for part in both)
    return found


def _small(image: NDArray[Any]) -> list[Any]:
    """Channels of an image (C, rows, columns), summed to at most 100 rows or columns, to 3 digits."""
    step = -(-max(image.shape[1:]) // LARGEST_SIDE)
    channels, rows, columns = image.shape
    padded = np.zeros((channels, -(-rows // step) * step, -(-columns // step) * step))
    padded[:, :rows, :columns] = image
    summed = padded.reshape(channels, padded.shape[1] // step, step, -1, step).sum((2, 4))
    return [[[float(f"{value:.3g}") for value in row] for row in channel] for channel in summed]


def _latents(judged: Judged, splits: Sequence[EventSource], model: Predictor, seed: int) -> Json | None:
    """Two principal components of the background's latents, and where some events of each kind lie."""
    rng = np.random.default_rng(seed)
    kept = {}
    for name in (BACKGROUND, *judged.groups):
        rows = np.flatnonzero(judged.group == name)
        most = 3 * MAPPED if name == BACKGROUND else MAPPED
        kept[name] = np.sort(rng.permutation(rows)[:most])
    every = np.unique(np.concatenate(list(kept.values())))
    values = _encoded(SubsetSource(ConcatSource(splits), every), model)
    if values is None or values.shape[1] < 2:
        return None
    of_background = values[np.searchsorted(every, kept[BACKGROUND])]
    centre = of_background.mean(axis=0)
    _, size, axes = np.linalg.svd(of_background - centre, full_matrices=False)
    places = (values - centre) @ axes[:2].T / np.maximum(size[:2], 1e-12) * np.sqrt(len(of_background))
    share = (size[:2] ** 2 / max(float(np.sum(size**2)), 1e-300)).tolist()
    points = {name: np.round(places[np.searchsorted(every, rows)], 3).tolist() for name, rows in kept.items()}
    return {"share": share, "points": points, "dimension": values.shape[1]}


def _encoded(source: EventSource, model: Predictor) -> FloatArray | None:
    parts = []
    step = min(batch_rows(source), 500)
    for first in range(0, len(source), step):
        events = source.read(first, min(first + step, len(source)))
        with torch.inference_mode():
            found = model.latents(torch.as_tensor(np.asarray(events.x), dtype=torch.float32))
        if found is None:
            return None
        parts.append(found.flatten(1).double().numpy())
    return np.concatenate(parts)
