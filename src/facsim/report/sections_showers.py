"""The sections that show showers and their observables."""

from __future__ import annotations

from facsim.core.geometry import CylinderGeometry, Geometry
from facsim.report.blocks import Block, Gallery, Picture, Section
from facsim.report.figures_curves import layer_curves_figure, observable_figure, profile_figure
from facsim.report.figures_maps import depth_radius_figure, layers_figure, matrices_figure, telling_layers
from facsim.report.figures_single import space_figure
from facsim.report.histograms import FloatArray
from facsim.report.observables import (
    Observable,
    collect_arrays,
    collect_observables,
    collect_profiles,
    spread,
)
from facsim.report.render import to_png, to_svg
from facsim.report.rundata import RESAMPLERS, RunData
from facsim.report.showers import ShowerGallery, run_geometry, shower_gallery
from facsim.report.text import NARROW, TIMES, capital, count, describe, energy, listing, plus_minus

LAYERS_SHOWN = 3
ENERGY_BINS = tuple(f"E{k}" for k in range(1, 13))
FIRST = ("e_layer", "width_r", "sparsity")


def showers_section(run: RunData) -> Section | None:
    """Single and average showers, drawn."""
    gallery = shower_gallery(run)
    geometry = gallery.geometry if gallery else run_geometry(run)
    means = collect_arrays(run.with_histograms, "mean_shower")
    if geometry is not None:
        means = {name: values for name, values in means.items() if len(values) == geometry.n_cells}
    blocks: list[Block] = [_space(run, gallery)] if gallery is not None else []
    if isinstance(geometry, CylinderGeometry):
        blocks += _cylinder_blocks(run, gallery, geometry, means)
    if not blocks:
        return None
    return Section("showers", "Showers", _lead(run, geometry), blocks)


def _lead(run: RunData, geometry: Geometry | None) -> str:
    if geometry is None:
        return ""
    kind = "is a cylinder around the particle" if isinstance(geometry, CylinderGeometry) else "has cells of any place"
    return (
        f"The read-out {kind}: {geometry.n_layers} layers and {count(geometry.n_cells)} cells. Every sample stands in "
        f"a column of its own, {run.truth_name} first."
    )


def _cylinder_blocks(
    run: RunData, gallery: ShowerGallery | None, geometry: CylinderGeometry, means: dict[str, FloatArray]
) -> list[Block]:
    """Pictures that need rings and sectors."""
    blocks: list[Block] = []
    pair: list[Picture] = []
    if gallery is not None:
        layers = telling_layers(geometry, _guide(gallery, means), LAYERS_SHOWN)
        pair.append(_single_layers(run, gallery, geometry, layers))
    if "reference" in means:
        layers = telling_layers(geometry, means["reference"], LAYERS_SHOWN)
        pair.append(_average_layers(run, geometry, means, layers))
    blocks += [Gallery(pair, 2)] if pair else []
    if "reference" in means:
        blocks.append(_depth(run, geometry, means))
    return blocks


def _guide(gallery: ShowerGallery, means: dict[str, FloatArray]) -> FloatArray:
    drawn: FloatArray = next(iter(gallery.cells.values())).sum(axis=0)
    return means.get("reference", drawn)


def _space(run: RunData, gallery: ShowerGallery) -> Picture:
    names = listing(run.labels[name] for name in gallery.cells)
    body = to_png(space_figure(gallery, run.labels), f"Single showers in space: {names}", dpi=160)
    return Picture(
        body,
        f"Single showers at {listing(energy(value) for value in gallery.wanted)}",
        "Each point is a cell with energy: size and shade follow the energy, on one scale a row; the particle "
        f"enters from the left. Drawn are the showers nearest in incident energy among the first "
        f"{count(gallery.searched)} of each file, not selected. Look for the dense core, the loose halo, the depth "
        "where the shower starts and the number of cells: these change from shower to shower, also in truth.",
        wide=True,
    )


def _single_layers(run: RunData, gallery: ShowerGallery, geometry: CylinderGeometry, layers: list[int]) -> Picture:
    middle = len(gallery.wanted) // 2
    rows = {name: cells[middle] for name, cells in gallery.cells.items()}
    figure = layers_figure(geometry, layers, rows, run.labels, "MeV")
    return Picture(
        to_png(figure, "One shower of each sample, layer by layer", dpi=190),
        f"One shower of {energy(gallery.wanted[middle])}, seen along the beam",
        f"The middle row above in {len(layers)} layers, front to back; paper means no energy above threshold. Look for "
        "a granular pattern: truth leaves most cells empty, and smooth rings give a parametrisation away.",
        wide=True,
    )


def _average_layers(
    run: RunData, geometry: CylinderGeometry, means: dict[str, FloatArray], layers: list[int]
) -> Picture:
    rows = {name: values for name, values in means.items() if name != "null"}
    figure = layers_figure(geometry, layers, rows, run.labels, "MeV per cell")
    return Picture(
        to_png(figure, "Average shower layer by layer", dpi=190),
        "The average shower, seen along the beam",
        f"Mean energy per cell of {_sample_size(run)} in the same layers. A particle along the axis leaves the same "
        "energy at every angle: spokes or offsets would be defects.",
        wide=True,
    )


def _depth(run: RunData, geometry: CylinderGeometry, means: dict[str, FloatArray]) -> Picture:
    figure = depth_radius_figure(geometry, means, run.labels)
    return Picture(
        to_png(figure, "Average shower in depth and radius", dpi=140),
        "Average shower in depth and radius",
        f"Mean energy per cell of {_sample_size(run)}, averaged over the angle (above), and the ratio to truth "
        f"(below). Under {run.truth_name} stands the ratio of its two disjoint samples: that much difference is "
        "chance. Look for broad patches of one colour in the ratio; speckle where little energy is left is statistics.",
        wide=True,
    )


def observables_section(run: RunData) -> Section | None:
    """Every observable with its ratio to truth."""
    items = collect_observables(run.with_histograms, run.problems)
    if not items:
        return None
    binned = [item for name in ENERGY_BINS for item in collect_observables(run.with_histograms, run.problems, name)]
    whole = [item for item in items if item.layer is None]
    shown = int((run.config.get("report") or {}).get("layers", LAYERS_SHOWN))
    layered = spread([item for item in items if item.layer is not None], shown)
    left_out = len(items) - len(whole) - len(layered)
    blocks: list[Block] = []
    if whole:
        blocks.append(Gallery([_observable(run, item) for item in whole], 3, f"Whole {run.noun}"))
    if binned:
        pictures = [_observable(run, item) for item in binned]
        blocks.append(Gallery(pictures, 4 if len(pictures) % 4 == 0 else 3, "In bins of incident energy"))
    curves = _curves_picture(run)
    if layered or curves:
        blocks += _layer_blocks(run, layered, shown, left_out, curves)
    lead = (
        f"{capital(run.truth_name)} is black with its statistical band; the thin grey line is a second, disjoint "
        f"sample of {run.truth_name}, and shows what chance alone does. Bands are one standard deviation; ratios are "
        "drawn where truth has at least four entries in the bin."
    )
    return Section("observables", "Observables", lead, blocks)


def _layer_blocks(
    run: RunData, layered: list[Observable], shown: int, left_out: int, curves: Picture | None
) -> list[Block]:
    """The overview of all layers, histograms of a few layers, and the less telling of them folded away."""
    blocks: list[Block] = [Gallery([curves] if curves else [], 1, "Layer by layer")]
    first = [item for item in layered if item.name in FIRST] or layered
    rest = [item for item in layered if item not in first]
    more = f" {left_out} more, of other layers, are in the run's hists folder." if left_out else ""
    if first:
        which = "a front, a middle and a back layer" if shown == LAYERS_SHOWN else f"{shown} of the layers"
        lead = f"Histograms of {which}.{more}"
        blocks.append(Gallery([_observable(run, item) for item in first], 3, "", lead))
    if rest:
        names = listing(dict.fromkeys(describe(item.name)[0].lower() for item in rest))
        pictures = [_observable(run, item) for item in rest]
        blocks.append(Gallery(pictures, 3, f"{len(rest)} more histograms of these layers: {names}", folded=True))
    return blocks


def _curves_picture(run: RunData) -> Picture | None:
    figure = layer_curves_figure(run.with_scores, run.looks, run.labels)
    if figure is None:
        return None
    caption = (
        "Separation power (protocol strict) in every layer, or ring where the axis says so: 0 is the same "
        f"distribution, 1 a disjoint one. Grey is {run.truth_name} against itself, the least that can be expected at "
        "this sample size. Look for layers in which the surrogate leaves the grey line."
    )
    title = "Separation from truth, layer by layer"
    return Picture(to_svg(figure, "layer-curves", title), title, caption, wide=True)


def _observable(run: RunData, item: Observable) -> Picture:
    words, look_for = describe(item.name)
    title = words if item.layer is None else f"{words}, layer {item.layer}"
    title += f", {_bin_words(run, item.region)}" if item.region != "all" else ""
    body = to_svg(
        observable_figure(item, run.looks, run.labels, noun=run.noun), f"o-{item.key}".replace("/", "-"), title
    )
    parts = [f"{_entries(item, run.labels, run.noun)}."]
    separations = [
        f"{run.labels[sample.name]} {plus_minus(1e3 * row['value'], 1e3 * (row.get('error') or 0))}"
        for sample in run.with_scores
        if (row := sample.score(f"separation/{item.name}")) and row.get("value") is not None
    ]
    if separations and item.layer is None and item.region == "all":
        parts.append(f"Separation from truth {TIMES}1000: {', '.join(separations)}.")
    outside = [
        f"{run.labels[name]} {100 * part.outside:.2g}{NARROW}%"
        for name, part in [("reference", item.reference), *item.generated.items()]
        if part.outside > 0.002
    ]
    if outside:
        parts.append(f"Outside the histogram: {', '.join(outside)}.")
    parts.append(f"{capital(look_for)}.")
    return Picture(body, title, " ".join(parts))


def _bin_words(run: RunData, region: str) -> str:
    """`1 to 2.7 GeV` for the bin `E1`."""
    bins = next((s.bins for s in run.with_scores if s.bins.edges), None)
    place = int(region[1:]) - 1 if region[1:].isdigit() else -1
    return bins.words(place) if bins is not None and 0 <= place < len(bins.edges) - 1 else region


def _entries(item: Observable, labels: dict[str, str], noun: str) -> str:
    kind = "cells" if item.name.startswith("cell") else noun
    truth = item.reference.total
    generated = [part.total for part in item.generated.values()]
    if all(abs(total - truth) < 0.5 for total in generated):
        return f"{count(truth)} {kind} each"
    if all(abs(total - generated[0]) < 0.5 for total in generated):
        return f"{count(truth)} {kind} of truth, {count(generated[0])} of each sample"
    named = [f"{count(part.total)} {labels[name]}" for name, part in item.generated.items()]
    with_energy = " with energy in this layer" if item.layer is not None else ""
    return f"{capital(kind)}{with_energy}: {count(truth)} {labels['reference']}, {', '.join(named)}"


def profiles_section(run: RunData) -> Section | None:
    """Mean profiles and the correlations between layers."""
    profiles = collect_profiles(run.with_histograms)
    matrices = collect_arrays(run.with_histograms, "correlations")
    blocks: list[Block] = []
    number = _sample_size(run)
    if profiles:
        pictures = []
        for item in profiles:
            body = to_svg(profile_figure(item, run.looks, run.labels), f"profile-{item.name}", f"{item.name} profile")
            look_for = (
                "A slope in the ratio is a shower that sits too early or too late"
                if item.name == "longitudinal"
                else "A slope in the ratio is a shower that is too narrow or too wide"
            )
            caption = f"Mean over {number}; bands are errors of the mean. {look_for}."
            pictures.append(Picture(body, f"{capital(item.name)} profile", caption))
        blocks.append(Gallery(pictures, 2 if len(pictures) == 2 else 3))
    if "reference" in matrices:
        resampled = [run.labels[name] for name in RESAMPLERS if name in matrices]
        hint = f" {capital(listing(resampled))} inherit theirs from truth." if resampled else ""
        blocks.append(
            Picture(
                to_png(matrices_figure(matrices, run.labels), "Correlation matrices of the layer energies", dpi=140),
                "Correlation of the energies in each pair of layers",
                f"Linear correlation over {number} (above) and the difference from truth (below); under "
                f"{run.truth_name} the difference of its two samples. Look for stripes: layers that the surrogate "
                f"does not tie to the others as truth does.{hint}",
                wide=True,
            )
        )
    return Section("profiles", "Profiles and correlations", "", blocks) if blocks else None


def _sample_size(run: RunData) -> str:
    sizes = {(card or {}).get("n", {}).get("generated") for card in (sample.scorecard for sample in run.samples)}
    known = [size for size in sizes if size]
    return f"{count(known[0])} showers of each sample" if len(known) == 1 else "all showers of each sample"
