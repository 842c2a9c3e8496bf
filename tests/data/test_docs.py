"""The mapping files shown in the documentation are valid, and the table of geometries is true."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from textwrap import dedent

import pytest

from facsim.data import mapping
from facsim.data.mapping import read_mapping
from facsim.physics.geometries import GEOMETRIES

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


def in_page() -> list[str]:
    return re.findall(r"<!-- mapping -->\n```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def in_docstring() -> list[str]:
    text = inspect.getdoc(mapping) or ""
    return [dedent(block) for block in re.findall(r"::\n\n((?:    .*\n|\n)+)", text)]


@pytest.mark.parametrize("text", in_page() + in_docstring())
def test_examples_are_valid(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text)
    spec = read_mapping(path)
    assert spec.cells is not None or spec.columns


def test_there_are_examples() -> None:
    assert (len(in_page()), len(in_docstring())) == (4, 3)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_geometries_are_listed_with_their_cells(name: str) -> None:
    geometry = GEOMETRIES[name]
    assert f"| `{name}` | {geometry.particle} | {geometry.n_cells} |" in PAGE.read_text(encoding="utf-8")
