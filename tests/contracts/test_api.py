"""The page of API stability names what there is, and nothing else: a change of the API is a change of that page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

import facsim
import facsim.metrics
import facsim.models
from facsim.cli import app
from facsim.config import RunConfig
from facsim.repository import manifest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api-stability.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def listed(topic: str, upto: str = ".") -> set[str]:
    """Names in backticks that follow a topic in bold, until `upto` at the end of a word outside of backticks."""
    text = re.search(rf"\*\*{re.escape(topic)}\*\*(.*?)\n\n", PAGE, re.DOTALL)
    assert text is not None, topic
    first = re.split(rf"`{re.escape(upto)}(?:\s|$)", text[1])[0] + "`"
    return set(re.findall(r"`([\w -]+)`", first))


def test_names_of_the_package() -> None:
    assert listed("Names of `facsim`") == set(facsim.__all__)
    for name in facsim.__all__:
        assert getattr(facsim, name) is not None


def test_verbs_of_the_command_line() -> None:
    assert listed("Verbs of the command line") == set(verbs(typer.main.get_command(app)))


def verbs(group: Any, *before: str) -> Iterator[str]:
    """Verbs of the command line, with the group that they belong to."""
    for name, command in group.commands.items():
        yield from verbs(command, *before, name) if hasattr(command, "commands") else [" ".join((*before, name))]


def test_names_of_metrics_and_models() -> None:
    assert listed("Names of `facsim.metrics`") == set(facsim.metrics.__all__)
    assert listed("Names of `facsim.models`", upto=";") == set(facsim.models.__all__)


def test_sections_of_a_configuration() -> None:
    assert listed("Keys of a configuration", upto=", and") == set(RunConfig.model_fields)


def test_formats_and_protocols() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    written = {f"{manifest.FORMAT}-{manifest.NEWEST}", *re.findall(r'"(facsim-[a-z0-9-]+-\d+)"', sources)}
    assert set(re.findall(r"`(facsim-[a-z0-9-]+-\d+)`", PAGE)) == written


ENTRIES = re.findall(r"\.\. auto(?:function|class|exception|module):: ([\w.]+)", REFERENCE)


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_the_reference_documents_says_what_it_is(entry: str) -> None:
    module, _, name = entry.rpartition(".")
    found = import_module(entry) if entry == "facsim.metrics" else getattr(import_module(module), name)
    assert (found.__doc__ or "").strip()


def test_the_reference_documents_all_public_names() -> None:
    documented = {entry.rpartition(".")[2] for entry in ENTRIES}
    public = {*facsim.__all__, *facsim.metrics.__all__, *facsim.models.__all__} - {"METRICS", "MODELS"}
    assert public <= documented
