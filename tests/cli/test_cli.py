"""The command line: help and an example for every verb, one sentence for every mistake, clean JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.config import RECIPES
from facsim.core.errors import FacsimError

VERBS = [
    "init",
    "simulate",
    "prepare",
    "train",
    "sample",
    "evaluate",
    "compare",
    "compress",
    "score",
    "report",
    "export",
    "run",
    "demo",
    "leaderboard",
    "import",
    "info",
]


def _call(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    code, out, _ = _call(verb, "--help")
    assert code == 0
    assert f"Example: facsim {verb}" in out
    assert "--json" in out


def test_help_lists_every_verb_in_full() -> None:
    code, out, _ = _call("--help")
    assert code == 0
    assert all(f"  {verb} " in out for verb in VERBS)
    assert "..." not in out.partition("Commands:")[2]


def test_version_is_told() -> None:
    assert _call("--version") == (0, f"{facsim.__version__}\n", "")


def test_unknown_option_is_a_usage_error() -> None:
    code, out, err = _call("train", "--stepps", "3")
    assert (code, out) == (2, "")
    assert "--stepps" in err


def test_init_writes_the_recipe_and_keeps_what_is_there(in_tmp: Path) -> None:
    assert _call("init", "calorimeter")[0] == 0
    text = (in_tmp / "calorimeter.yaml").read_text()
    assert "# Electrons in a tungsten-silicon calorimeter" in text
    code, out, err = _call("init", "calorimeter")
    assert (code, out) == (1, "")
    assert "exists already" in err
    assert (in_tmp / "calorimeter.yaml").read_text() == text


def test_init_lists_what_there_is() -> None:
    code, out, _ = _call("init", "--list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(RECIPES)
    assert json.loads(_call("init", "--list", "--json")[1]) == {name: words for name, (_, words) in RECIPES.items()}


def test_init_says_when_it_cannot_write(in_tmp: Path) -> None:
    (in_tmp / "a").write_text("not a folder")
    code, out, err = _call("init", "--out", "a/b.yaml")
    assert (code, out) == (1, "")
    assert err.startswith("facsim: cannot write 'a/b.yaml': ")
    assert err.count("\n") == 1


def test_json_of_init(in_tmp: Path) -> None:
    code, out, err = _call("init", "--out", "a/b.yaml", "--json")
    assert (code, json.loads(out), err) == (0, {"config": "a/b.yaml"}, "")
    assert (in_tmp / "a" / "b.yaml").is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "none.yaml"], "cannot read the configuration 'none.yaml'"),
        (["run"], "give a configuration file, or with --out a run directory that holds one"),
        (["train", "--out", "nowhere"], "'nowhere' is not a run directory yet"),
        (["init", "tracker"], "unknown task 'tracker'"),
        (["demo", "--set", "trian.lr=1", "--out", "d"], "unknown key 'trian'"),
        (["demo", "--set", "simulate.detector=pbwo5", "--out", "d"], "unknown detector 'pbwo5'"),
        (["score", "none.h5", "none.h5"], "'none.h5' does not exist"),
        (["compare", "none.yaml", "other.yaml"], "cannot read the configuration 'none.yaml'"),
        (["compare", "calorimeter"], "a comparison needs at least two runs, not 1"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_mistakes_give_one_sentence_and_no_traceback(
    in_tmp: Path, arguments: list[str], sentence: str, as_json: bool
) -> None:
    code, out, err = _call(*arguments, *(["--json"] if as_json else []))
    assert (code, out) == (1, "")
    assert err.startswith("facsim: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert not list(in_tmp.iterdir())


def test_stage_out_of_order_says_what_to_run(in_tmp: Path) -> None:
    _call("init", "--out", "c.yaml")
    code, _, err = _call("train", "c.yaml", "--out", "r")
    assert code == 1
    assert "'train' needs the result of 'prepare'" in err or "'prepare' needs the result of 'simulate'" in err


def test_interrupt_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("facsim.api.run", interrupted)
    monkeypatch.setattr("facsim.api.init", interrupted)
    assert _call("run") == (130, "", "facsim: interrupted; run the same command again to resume.\n")
    anew = "facsim: interrupted; nothing half-made is left, and the same command begins anew.\n"
    assert _call("init") == (130, "", anew)


def test_info_names_what_is_there_and_what_is_missing() -> None:
    code, out, _ = _call("info", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["versions"]["facsim"] == facsim.__version__
    assert set(facts["extras"]) == {
        "anomaly", "geant4", "jets", "root", "onnx", "tensorboard", "mlflow", "sweep", "remote", "dask",
    }  # fmt: skip
    assert facts["hardware"]["cores"] >= 1
    code, out, _ = _call("info")
    assert code == 0
    assert all(name in out for name in facts["extras"])
    assert "par04" in facts["models"]
    assert "electron showers of 1 to 50 GeV in 6480 cells" in out


def test_json_output_is_alone_on_standard_output() -> None:
    """Even what a C library or a child process writes to standard output goes to standard error."""
    code = (
        "import os, facsim.api as api, facsim.cli as cli, sys, subprocess\n"
        "def noisy(*a):\n"
        "    print('python'); os.write(1, b'library\\n'); subprocess.run(['echo', 'child']); return 'x.yaml'\n"
        "api.init = noisy\n"
        "sys.argv = ['facsim', 'init', '--json']\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert json.loads(done.stdout) == {"config": "x.yaml"}
    assert {"python", "library", "child"} <= set(done.stderr.split())


def test_verbs_are_functions_of_the_package() -> None:
    functions = {"import_weights" if verb == "import" else verb for verb in VERBS}  # 'import' is a word of Python
    assert all(callable(getattr(facsim, name)) for name in functions)
    assert functions <= set(dir(facsim))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = facsim.trian


def test_a_verb_that_is_also_a_subpackage_can_be_called_and_entered(in_tmp: Path) -> None:
    from facsim.report.page import write_report  # noqa: PLC0415

    assert facsim.report.page.write_report is write_report
    with pytest.raises(FacsimError, match="not a run directory yet"):
        facsim.report(out="nowhere")
    with pytest.raises(FacsimError, match="cannot read the configuration"):
        facsim.run("none.yaml", out="r")


def test_hint_of_a_stage_out_of_order_names_the_configuration_it_needs(in_tmp: Path) -> None:
    _call("init", "--out", "c.yaml")
    _, _, err = _call("prepare", "c.yaml", "--out", "r")
    assert "run facsim simulate CONFIG --out r first" in err


def test_sweep_says_where_it_works() -> None:
    assert "By default sweeps/" in _call("sweep", "--help")[1]
