"""Sections of an anomaly page that show events: the oddest ones with reconstructions, and a map of latents."""

from __future__ import annotations

from facsim.report.blocks import Gallery, Picture, Section
from facsim.report.figures_anomaly_events import event_figure, latent_figure
from facsim.report.render import to_png, to_svg
from facsim.report.rundata import RunData
from facsim.report.text import capital, significant


def events_section(run: RunData) -> Section | None:
    """The oddest background events, and the oddest and a median one of each kind of signal."""
    found = ((run.surrogate.histograms if run.surrogate else None) or {}).get("displays")
    if not found:
        return None
    pictures = []
    for event in found["events"]:
        title = capital(event["title"])
        body = to_png(event_figure(event, found), title, dpi=110)
        pictures.append(Picture(body, title, f"Score {significant(event['score'], 4)}.", True))
    few, rest = pictures[:2], pictures[2:]
    blocks = [Gallery(few, 2)]
    if rest:
        blocks.append(Gallery(rest, 2, "Further events", folded=True))
    lead = "The most unusual events of background, then of each kind of signal the most unusual and one in the middle."
    return Section("events", "Events", lead, blocks)


def latents_section(run: RunData) -> Section | None:
    """Where events lie among the latents of background."""
    found = ((run.surrogate.histograms if run.surrogate else None) or {}).get("latents")
    if not found:
        return None
    body = to_svg(latent_figure(found), "latents", "map of latents")
    caption = f"Of {found['dimension']} latents, in background's standard deviations."
    return Section("latents", "Latents", "", [Gallery([Picture(body, "Principal components", caption)], 2)])
