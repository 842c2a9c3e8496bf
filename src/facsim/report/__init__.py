"""Figures, the report page and the summary picture: the only part of facsim that draws."""

from facsim.report.card import card_figure
from facsim.report.page import write_report

__all__ = ["card_figure", "write_report"]
