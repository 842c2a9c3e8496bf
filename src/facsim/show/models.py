"""Models of repositories, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facsim.repository.places import SHIPPED
from facsim.show import with_error

MARKS = {True: "ok", False: "[red]wrong[/red]", None: "[yellow]not made[/yellow]"}


def show_models(found: Mapping[str, Any]) -> None:
    """One row a version, and what cannot be read."""
    console = Console(highlight=False)
    table = Table(box=None, header_style="bold", pad_edge=False, collapse_padding=True)
    for header in ("model", "events", "conditions", "MB", "licence", "score"):
        table.add_column(header, justify="right" if header == "MB" else "left", overflow="fold")
    hidden = False
    for row in found["models"]:
        hidden |= row["hidden"]
        name = f"{row['name']}@{row['version']}" + (" *" if row["hidden"] else "")
        kind = f"{row['representation']}: {row['events']}"
        size = f"{row['bytes'] / 1e6:.1f}"
        cells = (name, kind, _conditions(row["conditions"]), size, row["licence"], _score(row["score"]))
        table.add_row(*map(escape, cells))
    console.print(table if found["models"] else "there are no models")
    if hidden:
        console.print("*: another repository that is asked before has the name: add --repository", soft_wrap=True)
    for root in dict.fromkeys(row["repository"] for row in found["models"]):
        console.print(f"in {escape(root)}", soft_wrap=True)
    for problem in found["problems"]:
        console.print(f"[yellow]problem:[/yellow] {escape(problem)}", soft_wrap=True)


def show_model(found: Mapping[str, Any]) -> None:
    """The card: what it makes and from what, how good it is, where it comes from, how to use it."""
    console = Console(highlight=False)
    manifest, card = found["manifest"], found["card"]
    summary = manifest["summary"]

    def say(text: str) -> None:
        console.print(escape(text), soft_wrap=True)

    say(f"{found['model']}: {summary['events']}")
    say(f"  model       {manifest['model']}, {card.get('parameters', 0):,} parameters, licence {manifest['licence']}")
    say(f"  conditions  {_conditions(summary['conditions'], most=12)}")
    output = card["output"]
    say(f"  output      {output['name']} {output['shape']}, {output.get('unit') or output['dtype']}")
    for name, facts in manifest["files"].items():
        say(f"  {name:<20} {facts['bytes'] / 1e6:9.3f} MB  sha256 {facts['sha256'][:16]}...")
    _scores(console, card.get("scores", []))
    for line in _origin(manifest):
        say(line)
    say(f"versions: {', '.join(found['versions'])} in {found['repository']}")
    if found.get("picture"):
        say(f"picture: {found['picture']}")
    for line in _use(found):
        say(line)


def show_saved(found: Mapping[str, Any]) -> None:
    """Where a model was put."""
    console = Console(highlight=False)
    console.print(escape(f"{found['model']} ({found['bytes'] / 1e6:.1f} MB) is in {found['where']}"), soft_wrap=True)


def show_fetched(found: Mapping[str, Any]) -> None:
    """Where a model's files lie."""
    console = Console(highlight=False)
    words = f"{found['model']} ({found['bytes'] / 1e6:.1f} MB, checksums as in its manifest): {found['folder']}"
    console.print(escape(words), soft_wrap=True)


def show_served(found: Mapping[str, Any]) -> None:
    """How to serve a model."""
    console = Console(highlight=False)
    for path in found["files"]:
        console.print(escape(str(path)), soft_wrap=True)
    console.print(escape(f"now: tritonserver --model-repository={found['out']}"), soft_wrap=True)


def show_verified(found: Mapping[str, Any]) -> None:
    """Each check and its outcome."""
    console = Console(highlight=False)
    for row in found["checks"]:
        console.print(f"  {row['check']:<12} {MARKS[row['ok']]:<6} {escape(row['detail'])}", soft_wrap=True)
    verdict = "is as it should be" if found["passed"] else "[red]is not to be used[/red]"
    console.print(f"{escape(found['model'])} in {escape(found['repository'])} {verdict}", soft_wrap=True)


def _conditions(rows: list[Mapping[str, Any]], most: int = 3) -> str:
    words = [f"{r['name']} {r['min']:.5g} to {r['max']:.5g} {r['unit']}".strip() for r in rows[:most]]
    return ", ".join(words + [f"and {len(rows) - most} more"] * (len(rows) > most)) or "none"


def _score(score: Mapping[str, Any] | None) -> str:
    if score is None:
        return ""
    return f"{score['name']} {with_error(score['value'], score['error'])}"


def _scores(console: Console, scores: list[Mapping[str, Any]]) -> None:
    rows = [row for row in scores if row.get("region", "all") == "all" and row.get("value") is not None]
    if not rows:
        console.print("no scores: the run was saved without them")
        return
    table = Table(box=None, header_style="bold", pad_edge=False, collapse_padding=True)
    for header in ("score", "protocol", "value", "truth itself", "z"):
        table.add_column(header, no_wrap=True, justify="right" if header == "z" else "left")
    for row in rows:
        value, null = with_error(row["value"], row.get("error")), with_error(row.get("null"), row.get("null_error"))
        z = "" if row.get("z") is None else f"{row['z']:.1f}"
        table.add_row(*map(escape, (str(row["name"]), str(row.get("protocol", "")), value, null, z)))
    console.print(table)


def _origin(manifest: Mapping[str, Any]) -> list[str]:
    origin = manifest["provenance"]
    truth, git = origin.get("truth") or {}, origin.get("git") or {}
    words = [f"{key} {truth[key]}" for key in ("simulator", "geant4", "seed") if isinstance(truth.get(key), str | int)]
    lines = [f"truth: {', '.join(words) or 'a file of events'}; training seed {origin.get('seed')}"]
    state = f", git {str(git['commit'])[:12]}" if isinstance(git, Mapping) and git.get("commit") else ""
    lines.append(f"saved by facsim {manifest['facsim']} on {manifest['created']}{state}")
    plugin = manifest.get("plugin")
    if plugin:
        what = ", ".join(f"{key} {value}" for key, value in plugin.items())
        lines.append(f"needs code that does not come with it: {what}")
    return lines


def _use(found: Mapping[str, Any]) -> list[str]:
    """How to use the model."""
    name, schema, root = found["model"], found["card"]["schema"], found["repository"]
    option = "" if root == str(SHIPPED) else f" --repository {root}"
    where = "" if root == str(SHIPPED) else f", repository={root!r}"
    if "events" in found["card"]["inputs"]:
        return [f"use it: facsim models triton {name}{option} --out serving"]
    lines = [f"use it: facsim.load({name!r}{where}).events(conditions, seed=1)"]
    if schema["representation"] == "grid" and [c[0] for c in schema["conditions"]] == ["incident_energy"]:
        lines.append(f"        facsim sample {name}{option} --events 1000")
    return lines
