"""The pieces a page is made of; the template turns them into HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup


@dataclass(frozen=True)
class Picture:
    """A rendered figure and its caption; `title` opens the caption. A wide one scrolls sideways on a phone."""

    body: Markup
    title: str
    caption: str
    wide: bool = False
    kind: str = "figures"


@dataclass(frozen=True)
class Gallery:
    """Figures side by side, `columns` of them on a wide screen; a folded one opens by its heading."""

    pictures: Sequence[Picture]
    columns: int = 3
    heading: str = ""
    lead: str = ""
    folded: bool = False
    kind: str = "gallery"


@dataclass(frozen=True)
class Cell:
    """A table cell: text, small print below it, and a mark `good`, `fair`, `poor`, `void` or none with its words.

    A `best` cell is the clearly best of its row.
    """

    text: str = ""
    small: str = ""
    mark: str = ""
    mark_text: str = ""
    hint: str = ""
    best: bool = False


@dataclass(frozen=True)
class Table:
    """A table in parts, each with a heading; the first cell of a row is its header."""

    columns: Sequence[str]
    parts: Sequence[tuple[str, Sequence[Sequence[Cell]]]]
    title: str
    caption: str = ""
    folded: bool = False
    kind: str = "table"


@dataclass(frozen=True)
class Note:
    """A paragraph; `tone` is `plain`, `small`, `aside` or `warning`."""

    text: str
    tone: str = "plain"
    kind: str = "note"


@dataclass(frozen=True)
class Listing:
    """Text shown as it is in the file, folded away."""

    title: str
    text: str
    kind: str = "listing"


Block = Picture | Gallery | Table | Note | Listing


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in its navigation."""

    id: str
    title: str
    lead: str = ""
    blocks: Sequence[Block] = field(default_factory=tuple)


@dataclass(frozen=True)
class Tile:
    """One large number of the headline."""

    label: str
    value: str
    unit: str = ""
    detail: str = ""
    mark: str = ""
