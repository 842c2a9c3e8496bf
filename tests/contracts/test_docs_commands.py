"""Commands shown on the pages: their verbs, options, configurations, keys and extras exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import typer

from facsim.cli import app
from facsim.config import RunConfig
from facsim.config.recipes import RECIPES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
APP = typer.main.get_command(app)
SECTIONS = {*RunConfig.model_fields, "sweep"}


def commands(page: Path) -> list[list[str]]:
    """Words of every line that calls facsim in a shell's example of a page."""
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line.partition("; ")[0], comments=True) for line in lines if line.startswith("facsim ")]


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.stem)
def test_commands_exist(page: Path) -> None:
    for words in commands(page):
        told = f"{page.name}: {' '.join(words)}"
        command, place = APP, 1
        while hasattr(command, "commands") and not words[place].startswith("--"):
            assert words[place] in command.commands, told
            command, place = command.commands[words[place]], place + 1
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word.partition("=")[0] for word in words[place:] if word.startswith("--")} <= known | {"--help"}, told
        if words[1] == "init" and not words[2].startswith("--"):
            assert words[2] in RECIPES, told
        keys = [value for option, value in pairwise(words) if option == "--set"]
        assert {re.split(r"[.=]", key)[0] for key in keys} <= SECTIONS, told


def test_extras_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for page in PAGES:
        for names in re.findall(r"facsim\[([\w,-]+)\]", page.read_text(encoding="utf-8")):
            assert set(names.split(",")) <= set(project["optional-dependencies"]), (page.name, names)
