"""Exported C is compiled and compared: with the graph, with random numbers written anew, and with broken inputs."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facsim.core.cell_geometry import CellGeometry, CellLayer
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.export.c_check import COMPILERS, CModel, check_c, compile_c, compile_timed, time_c
from facsim.export.c_source import CFacts, c_facts, export_c
from facsim.export.card import make_card
from facsim.export.onnx import export_onnx
from facsim.models.base import Batch, EventModel
from facsim.models.checkpoint import build_model

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, COMPILERS)), reason=f"there is no C compiler on PATH ({', '.join(COMPILERS)})"
)

MLP = {"name": "residual-mlp", "width": 24, "depth": 2}
METHODS: dict[str, dict[str, Any]] = {
    "gan": {"name": "gan", "network": MLP},
    "flow-matching": {"name": "flow-matching", "steps": 2, "prior": "gaussian", "network": MLP},
    "library": {"name": "flow-matching", "steps": 1, "prior": "library", "solver": "heun", "network": MLP},
    "distilled": {"name": "distilled", "kind": "consistency", "steps": 2, "network": MLP},
    "vae": {"name": "vae", "network": MLP},
    "diffusion": {"name": "diffusion", "steps": 2, "network": MLP},
}


def table(n: int = 400) -> tuple[Schema, Batch]:
    """A smooth column, one with an atom at zero that spans decades, and a count."""
    rng = generator(2, "toy-table")
    columns = [rng.normal(5, 2, n), np.where(rng.random(n) < 0.4, 0, np.exp(rng.normal(0, 3, n))), rng.poisson(20, n)]
    features = (Feature("a", "mm"), Feature("b", "MeV"), Feature("n"))
    schema = Schema("table", features, (Feature("momentum", "GeV"), Feature("eta")))
    cond = np.stack([rng.uniform(2, 100, n), rng.uniform(2, 5, n)], 1)
    return schema, Batch(*(torch.as_tensor(a, dtype=torch.float32) for a in (np.stack(columns, 1), cond)))


def cells(n: int = 64) -> tuple[Schema, Batch]:
    layers = tuple(CellLayer(i, np.linspace(-20.0, 20.0, 7 + i), np.zeros(7 + i)) for i in range(3))
    geometry = CellGeometry("toy", "photon", layers, np.array([0.0, 10.0, 30.0]), 0.01)
    rng = generator(1, "toy-cells")
    energy = rng.uniform(1e3, 1e4, (n, 1))
    x = rng.exponential(1.0, (n, geometry.n_cells, 1)) * energy[..., None] / 100
    x[rng.random(x.shape) < 0.6] = 0
    return calorimeter_schema(geometry), Batch(*(torch.as_tensor(a, dtype=torch.float32) for a in (x, energy)))


def fitted(schema: Schema, batch: Batch, method: dict[str, Any]) -> EventModel:
    """A model with fitted transforms and weights that are not those at the start, where outputs are zero."""
    model = build_model("single-stage", schema, {"method": method})
    model.begin_phase(model.phases[0], batch, torch.Generator().manual_seed(1))
    shifts = torch.Generator().manual_seed(2)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=shifts)
    return model


def written(model: EventModel, batch: Batch, folder: Path, name: str = "toy") -> tuple[Path, Path, CFacts]:
    """(graph, source, facts) of an export."""
    graph = folder / "model.onnx"
    export_onnx(model, graph, 20)
    card = make_card(model, "single-stage", graph, batch.cond.numpy(), [], {})
    facts = c_facts(card, model.noise_spec(1), name, "0" * 64)
    return graph, export_c(graph, folder, facts)[0], facts


@pytest.fixture(scope="module")
def gan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, CFacts, np.ndarray]:
    schema, batch = table()
    folder = tmp_path_factory.mktemp("gan")
    return *written(fitted(schema, batch, METHODS["gan"]), batch, folder), batch.cond.numpy()


@pytest.fixture(scope="module")
def compiled(gan: tuple[Path, Path, CFacts, np.ndarray]) -> CModel:
    library = gan[1].with_suffix(".so")
    compile_c(gan[1], library, ("-Wall", "-Wextra", "-pedantic", "-Werror"))
    return CModel.of(ctypes.CDLL(str(library)), gan[2])


@pytest.mark.parametrize("method", METHODS)
def test_c_gives_the_events_of_the_graph(method: str, tmp_path: Path) -> None:
    schema, batch = table()
    graph, source, facts = written(fitted(schema, batch, METHODS[method]), batch, tmp_path)
    found = check_c(source, graph, facts, batch.cond.numpy(), seed=3, events=500)
    assert found["passed"]
    assert found["share_within"] >= 0.99
    assert found["median_relative_difference"] < 1e-6


def test_c_gives_cells_with_exact_zeros(tmp_path: Path) -> None:
    schema, batch = cells()
    graph, source, facts = written(fitted(schema, batch, METHODS["gan"]), batch, tmp_path)
    assert facts.shape == (24, 1)
    assert check_c(source, graph, facts, batch.cond.numpy(), seed=3, events=300)["share_within"] == 1
    library = tmp_path / "m.so"
    compile_c(source, library)
    x = CModel.of(ctypes.CDLL(str(library)), facts).generate(batch.cond.numpy(), seed=1)
    assert 0.01 < (x == 0).mean() < 0.99
    assert ((x == 0) | (x >= 0.01 * (1 - 1e-5))).all()


def test_changed_weights_are_noticed(gan: tuple[Path, Path, CFacts, np.ndarray], tmp_path: Path) -> None:
    schema, batch = table()
    other = {**METHODS["gan"], "network": {**MLP, "width": 16}}
    _, source, facts = written(fitted(schema, batch, other), batch, tmp_path)
    with pytest.raises(FacsimError, match="disagrees with the graph"):
        check_c(source, gan[0], facts, gan[3], seed=1, events=50)


def philox(key: int, counter: np.ndarray) -> np.ndarray:
    """Philox4x32-10 of counters (N, 4), by the paper's definition."""
    c = counter.astype(np.uint64)
    k = [key & 0xFFFFFFFF, key >> 32]
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = c[:, 0] * np.uint64(0xD2511F53), c[:, 2] * np.uint64(0xCD9E8D57)
        high_b, high_a = b >> np.uint64(32), a >> np.uint64(32)
        c = np.stack([high_b ^ c[:, 1] ^ np.uint64(k[0]), b & low, high_a ^ c[:, 3] ^ np.uint64(k[1]), a & low], 1)
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def test_philox_of_this_file_gives_the_published_words() -> None:
    known = philox(0, np.zeros((1, 4)))[0]
    assert [f"{int(w):08x}" for w in known] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]
    full = philox(2**64 - 1, np.full((1, 4), 0xFFFFFFFF))[0]
    assert [f"{int(w):08x}" for w in full] == ["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"]


def test_noise_is_philox_and_box_muller(compiled: CModel) -> None:
    seed, event = 0x123456789ABCDEF0, 2**40 + 7
    for stream, (name, size) in enumerate(compiled.facts.noise_sizes.items()):
        blocks = -(-size // 4)
        rows = [[event & 0xFFFFFFFF, event >> 32, block, stream] for block in range(blocks)]
        words = philox(seed, np.array(rows, dtype=np.uint64)).astype(np.float64).reshape(-1, 2)
        radius, angle = np.sqrt(-2 * np.log((words[:, 0] + 1) / 2**32)), 2 * np.pi * (words[:, 1] // 256) / 2**24
        expected = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()[:size]
        found = compiled.noise(seed, np.array([event]))[name].ravel()
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def test_noise_of_many_events_is_normal_and_independent(compiled: CModel) -> None:
    z = compiled.noise(5, np.arange(20_000))["latent"].astype(np.float64)
    n = len(z)
    assert np.abs(z.mean(0)).max() < 4.5 / np.sqrt(n)
    assert np.abs(z.var(0) - 1).max() < 4.5 * np.sqrt(2 / n)
    correlation = np.corrcoef(z.T) - np.eye(z.shape[1])
    assert np.abs(correlation).max() < 4.5 / np.sqrt(n)
    assert np.abs(np.mean(z[1:] * z[:-1], 0)).max() < 4.5 / np.sqrt(n)


def test_an_event_depends_on_its_number_alone(compiled: CModel, gan: tuple[Path, Path, CFacts, np.ndarray]) -> None:
    cond = gan[3][:20]
    together = compiled.generate(cond, seed=9, first=100)
    alone = np.concatenate([compiled.generate(cond[k : k + 1], seed=9, first=100 + k) for k in reversed(range(20))])
    np.testing.assert_array_equal(together, alone[::-1])
    assert (together != compiled.generate(cond, seed=10, first=100)).any()


def test_conditions_outside_are_told(compiled: CModel, gan: tuple[Path, Path, CFacts, np.ndarray]) -> None:
    inside = gan[3][:1]
    cond = np.concatenate([inside, [[1e4, 3.0]], [[np.nan, 3.0]], [[20.0, np.inf]]])
    noise = compiled.noise(1, np.arange(4))
    events, states = compiled.sample(cond, noise)
    assert states.tolist() == [0, 1, 2, 2]
    assert np.isfinite(events[:2]).all()
    assert (events[1] != 0).any()
    assert (events[2:] == 0).all()


def test_only_the_mathematics_of_the_language_is_needed(gan: tuple[Path, Path, CFacts, np.ndarray]) -> None:
    text = gan[1].read_text()
    included = {line.split()[1] for line in text.splitlines() if line.startswith("#include")}
    assert included == {'"toy.h"', "<float.h>", "<math.h>", "<string.h>"}
    assert "malloc" not in text
    if shutil.which("nm") is None:
        return
    library = gan[1].with_suffix(".so")
    compile_c(gan[1], library)
    listed = subprocess.run(["nm", "-D", "-P", str(library)], capture_output=True, text=True, check=True).stdout
    kinds = [line.split()[:2] for line in listed.splitlines()]
    outside = {name.split("@")[0] for name, kind in kinds if kind == "U"}
    assert outside <= {"logf", "expf", "sinf", "cosf", "sincosf", "sqrtf", "rintf", "powf", "memcpy", "memset"}
    assert not [name for name, kind in kinds if kind in "BDbd" and name.startswith("toy")]  # no state


def test_header_says_what_the_model_is(gan: tuple[Path, Path, CFacts, np.ndarray]) -> None:
    header = gan[1].with_suffix(".h").read_text()
    assert "#define TOY_N_CONDITIONS 2" in header
    assert "#define TOY_N_OUT 3" in header
    assert "#define TOY_N_NOISE 3" in header
    assert "momentum [GeV], trained from" in header
    assert "0" * 64 in header
    assert gan[2].checksums["graph"] in header


def test_time_of_a_call_is_measured(gan: tuple[Path, Path, CFacts, np.ndarray], tmp_path: Path) -> None:
    found = time_c(compile_timed(gan[1], gan[2], tmp_path)[0], gan[2], gan[3], seconds=0.02)
    assert 0.1 < found["us_per_call_least"] <= found["us_per_call"] < 1000


def test_a_name_that_is_none_of_c_is_refused(gan: tuple[Path, Path, CFacts, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="expected a name of C"):
        export_c(gan[0], tmp_path, replace(gan[2], name="my-model"))
    assert not list(tmp_path.iterdir())


def test_no_compiler_is_told(
    gan: tuple[Path, Path, CFacts, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FacsimError, match=r"none of the compilers cc, gcc, clang is on PATH.*export\.c=false"):
        compile_c(gan[1], tmp_path / "m.so")


def test_source_that_is_no_c_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text("int f(void) { return no; }\n")
    with pytest.raises(FacsimError, match="refuses the exported"):
        compile_c(tmp_path / "bad.c", tmp_path / "bad.so")


def test_many_threads_may_call_it(compiled: CModel, gan: tuple[Path, Path, CFacts, np.ndarray]) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    cond = np.resize(gan[3], (400, 2))
    once = compiled.generate(cond, seed=4)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda k: compiled.generate(cond[100 * k : 100 * k + 100], 4, 100 * k), range(4)))
    np.testing.assert_array_equal(once, np.concatenate(parts))
