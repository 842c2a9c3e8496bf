"""Figures as pieces of one HTML page: themed inline SVG where light, PNG where heavy."""

from __future__ import annotations

import base64
import io
import re

from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.figure import Figure

from facsim.report.style import DARK_TWIN, AnyFigure, css_variable

_NUMBER = re.compile(r"(\.\d\d)\d+")
_PATH = re.compile(r'\b(d|x|y|points)="[^"]*"')
_IDENTITY = re.compile(r'\bid="([^"]+)"')
_REFERENCE = re.compile(r'(href="#|url\(#)([^")]+)')
_COLOUR = re.compile("|".join(DARK_TWIN), re.IGNORECASE)


def to_svg(figure: AnyFigure, key: str, alt: str) -> Markup:
    """The figure as inline SVG that follows the page's light or dark colours.

    Args:
        figure: made under `facsim_style`.
        key: unique on the page; identifiers inside the SVG are prefixed with it.
        alt: what a screen reader says.
    """
    assert isinstance(figure, Figure), "only a whole figure can be written"
    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": key}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    width, height = figure.get_size_inches() * 72
    head = f'<svg role="img" aria-label="{escape(alt)}" viewBox="0 0 {width:g} {height:g}" class="figure-svg"'
    text = head + ' xmlns:xlink="http://www.w3.org/1999/xlink">' + text[text.index(">") + 1 :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = _PATH.sub(lambda found: _NUMBER.sub(r"\1", found.group()), text)
    text = _IDENTITY.sub(rf'id="{key}-\1"', text)
    text = _REFERENCE.sub(rf"\1{key}-\2", text)
    text = _COLOUR.sub(lambda found: f"var({css_variable(found.group())})", text)
    return Markup(re.sub(r"\n\s*", "\n", text).strip())


def to_png(figure: AnyFigure, alt: str, dpi: int = 150) -> Markup:
    """The figure as an image element with the PNG inside; the page inverts it on dark paper."""
    assert isinstance(figure, Figure), "only a whole figure can be written"
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", pil_kwargs={"optimize": False})
    width, height = (figure.get_size_inches() * dpi).round().astype(int)
    data = base64.b64encode(_palette_png(buffer.getvalue())).decode("ascii")
    return Markup('<img class="figure-png" width="{}" height="{}" alt="{}" src="data:image/png;base64,{}">').format(
        width, height, alt, data
    )


def _palette_png(data: bytes) -> bytes:
    """The PNG in 256 colours: a third of the size, no difference to see in maps."""
    from PIL import Image  # noqa: PLC0415  (comes with matplotlib)

    image = Image.open(io.BytesIO(data)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    out = io.BytesIO()
    image.save(out, format="PNG", compress_level=7)
    return out.getvalue()
