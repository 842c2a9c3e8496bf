"""What ships is named with its origin and licence; what facsim needs with its licence; versions agree."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

import facsim
from facsim.models.shipped import shipped_card, shipped_names

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "facsim"
PAGE = (ROOT / "docs" / "provenance.md").read_text(encoding="utf-8")
DATA, _, NEEDS = PAGE.partition("## What facsim needs")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_file_of_data_has_an_origin() -> None:
    patterns = re.findall(r"^\| `([^`]+)` \|", DATA, re.MULTILINE)
    files = [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*") if path.is_file()]
    data = [name for name in files if not name.endswith((".py", ".pyc"))]
    assert [name for name in data if not any(fnmatch(name, pattern) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in data)] == []


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_model_says_where_it_comes_from(name: str) -> None:
    card = shipped_card(name)
    assert card["licence"] == PROJECT["license"]
    assert {"geant4", "files", "settings"} <= set(card["provenance"]["truth"])
    assert all({"events", "seed", "fingerprint"} <= set(made) for made in card["provenance"]["truth"]["files"])
    assert {"seed", "train"} <= set(card["provenance"]["training"])
    assert re.search(rf"^\| `models/shipped/{name}/\*` \|.*ship_model\.py RUN {name} VERSION`", DATA, re.MULTILINE)


def packages() -> list[str]:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return sorted({re.match(r"[\w-]+", line)[0] for lines in groups for line in lines})  # type: ignore[index]


def rows() -> dict[str, str]:
    """Package to its row in the table."""
    found = {}
    for line in NEEDS.splitlines():
        cells = line.split("|")
        if len(cells) == 5:
            found.update({name.strip(" *"): line for name in cells[1].split(",")})
    return found


def test_every_dependency_has_a_licence() -> None:
    assert set(packages()) == set(rows()) - {"package", "---"}


@pytest.mark.parametrize("name", packages())
def test_copyleft_is_told(name: str) -> None:
    try:
        known = metadata(name)
    except PackageNotFoundError:
        pytest.skip("not installed here")
    stated = known.get("License-Expression") or (known.get("License") or "").partition("\n")[0]
    copyleft = re.search(r"GPL|General Public", stated)
    assert copyleft is None or "GPL" in rows()[name], stated


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["cff-version"]) == "1.2.0"
    assert {"message", "title", "type", "authors"} <= set(citation)
    assert citation["version"] == facsim.__version__
    assert citation["license"] == PROJECT["license"]
