"""A model as C99 that needs nothing but the language's own mathematics: one header, one source, weights inside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.ranges import TOLERANCE, bounds
from facsim.core.schema import GIVEN_FEATURES
from facsim.core.store import atomic_path
from facsim.export.c_emit import Emitter
from facsim.export.c_indices import number
from facsim.export.c_runtime import functions_for
from facsim.export.c_trace import trace
from facsim.models.base import NoiseSpec

PARAMETERS = 4_000_000
"""Numbers of a model beyond which C source is no longer sensible."""


@dataclass(frozen=True)
class CFacts:
    """What the header says of a model.

    Args:
        name: beginning of all C names. ranges: name, unit, min and max of each condition (`card.training_range`).
        columns: name and unit of the columns of an event. shape: of an event.
        noise: shape for one event and distribution of each noise array.
        checksums: what to cite, such as {"card.json": sha256}.
        given: points whose coordinates, the last conditions, have no range of their own.
    """

    name: str
    ranges: Sequence[Mapping[str, Any]]
    columns: Sequence[Mapping[str, str]]
    shape: tuple[int, ...]
    noise: Mapping[str, NoiseSpec]
    checksums: Mapping[str, str]
    given: int = 0

    @property
    def noise_sizes(self) -> dict[str, int]:
        return {name: prod(spec.shape[1:]) for name, spec in self.noise.items()}


def c_facts(card: Mapping[str, Any], noise: Mapping[str, NoiseSpec], name: str, card_sha256: str) -> CFacts:
    """The facts of an exported model from its card."""
    return CFacts(
        name=name,
        ranges=card["training_range"],
        columns=card["output"]["columns"],
        shape=tuple(card["output"]["shape"][1:]),
        noise=noise,
        checksums={"card": card_sha256, "graph": card["graph"]["sha256"]},
        given=int(card["schema"].get("given", 0)),
    )


def export_c(graph: Path, folder: Path, facts: CFacts) -> tuple[Path, Path]:
    """Translate the ONNX file `graph`; write `<name>.c` and `<name>.h` into `folder`, each atomically.

    Raises:
        MissingExtraError: onnx is not installed.
        FacsimError: the graph is too large or has an operation that the C export does not know.
    """
    middle = np.array([0.5 * (r["min"] + r["max"]) for r in facts.ranges], np.float32)
    emitter = translated(graph, facts.name, {"condition": middle})
    return write_c(folder, facts.name, _header(facts), _source(facts, emitter))


def translated(graph: Path, name: str, examples: Mapping[str, NDArray[Any]]) -> Emitter:
    """The ONNX file `graph` as C statements whose constants begin with `name`; `examples` as for `trace`.

    Raises:
        MissingExtraError: onnx is not installed.
        FacsimError: the graph is too large or has an operation that the C export does not know.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise FacsimError(f"export.c_name is '{name}': expected a name of C, such as rich_kaons.")
    program = trace(graph, examples)
    numbers = sum(program.values[key].size for key in program.constants)
    if numbers > PARAMETERS:
        raise FacsimError(
            f"the model has {numbers} numbers, and the C export takes up to {PARAMETERS}: choose a smaller network, or "
            "leave the C export out with --set export.c=false."
        )
    emitter = Emitter(program, name)
    emitter.emit()
    return emitter


def write_c(folder: Path, name: str, header: str, source: str) -> tuple[Path, Path]:
    """Write `<name>.c` and `<name>.h` into `folder`, each atomically; source and header."""
    paths = folder / f"{name}.c", folder / f"{name}.h"
    for path, text in zip(paths, (source, header), strict=True):
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return paths


def buffers_of(emitter: Emitter) -> tuple[str, int]:
    """Declarations of the arrays of a function with these statements, and the bytes that they take."""
    lines = "\n".join(f"    {kind} {array}[{size}];" for array, size, kind in emitter.buffers)
    stack = sum(size * (1 if kind == "uint8_t" else 8 if kind == "double" else 4) for _, size, kind in emitter.buffers)
    return lines, stack


def comment(text: str) -> str:
    return text.replace("*/", "* /").replace("\n", " ")


def _arguments(facts: CFacts, constant: bool = True) -> str:
    kind = "const float" if constant else "float"
    return "".join(f", {kind} *{name}" for name in facts.noise)


def _header(facts: CFacts) -> str:
    name, big = facts.name, facts.name.upper()
    columns = "; ".join(comment(f"{c['name']} [{c['unit']}]" if c["unit"] else c["name"]) for c in facts.columns)
    conditions = "".join(
        comment(f"\n *   {k}: {r['name']} [{r['unit'] or '1'}], trained from {r['min']:.6g} to {r['max']:.6g}").replace(
            "  *", "\n *"
        )
        for k, r in enumerate(facts.ranges)
    )
    noise = "".join(
        f"\n *   {key}: {n} numbers, " + ("N(0, 1)" if facts.noise[key].distribution == "normal" else "U(0, 1)")
        for key, n in facts.noise_sizes.items()
    )
    sums = "".join(f"\n * SHA-256 of the {key}: {value}" for key, value in facts.checksums.items())
    sizes = "".join(f"#define {big}_N_{key.upper()} {n}\n" for key, n in facts.noise_sizes.items())
    low, high = (", ".join(number(np.float32(r[key]), "float") for r in facts.ranges) or "0" for key in ("min", "max"))
    return f"""/* {name}: a fast simulation trained and exported by facsim. C99; needs the C library's math.h only.
 *{sums}
 *
 * Conditions:{conditions or " none"}
 * Noise:{noise or " none"}
 * An event is {" x ".join(map(str, facts.shape))} numbers, in C order; columns: {columns}
 *
 * All functions may be called by any number of threads: they keep no state and reserve no memory.
 */
#ifndef {big}_H
#define {big}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define {big}_N_CONDITIONS {len(facts.ranges)}
#define {big}_N_OUT {prod(facts.shape)}
{sizes}
#define {big}_OK 0
#define {big}_OUT_OF_RANGE 1 /* a condition is outside the training range: an event is given, by extrapolation */
#define {big}_NOT_FINITE 2   /* a condition is not a number or infinite: no event is given */

/* The training range of each condition, for an initialiser: const float low[] = {{{big}_TRAINED_FROM}}; */
#define {big}_TRAINED_FROM {low}
#define {big}_TRAINED_TO {high}

/* {big}_OK, or what is wrong with the conditions. A bound may be passed by {TOLERANCE:g} of its value. */
int {name}_in_range(const float *condition);

/* The event at these conditions for given noise: the same noise gives the same event. */
int {name}_sample(const float *condition{_arguments(facts)}, float *out);

/* The noise of the event `event` of the seed `seed`: Philox4x32-10 with key `seed` and counter (event, block, array),
   normal numbers by Box and Muller. It depends on nothing else, so any order of events and any thread will do. */
void {name}_noise(uint64_t seed, uint64_t event{_arguments(facts, constant=False)});

/* Noise and event at once. */
int {name}_generate(const float *condition, uint64_t seed, uint64_t event, float *out);

#ifdef __cplusplus
}}
#endif
#endif
"""


def _bounds(facts: CFacts) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Least and greatest values (K,) of conditions that count as inside."""
    low, high = bounds([r["min"] for r in facts.ranges], [r["max"] for r in facts.ranges])
    guarded = len(facts.ranges) - GIVEN_FEATURES * facts.given
    low[guarded:], high[guarded:] = -np.inf, np.inf
    return low, high


def _source(facts: CFacts, emitter: Emitter) -> str:
    name, big = facts.name, facts.name.upper()
    body = "\n".join(emitter.lines)
    buffers, stack = buffers_of(emitter)
    draws = "\n".join(
        f"    m_{spec.distribution}(seed, event, {stream}u, {key}, {facts.noise_sizes[key]});"
        for stream, (key, spec) in enumerate(facts.noise.items())
    )
    arrays = "".join(f"    float {key}[{n}];\n" for key, n in facts.noise_sizes.items())
    passed = "".join(f", {key}" for key in facts.noise)
    tables = "\n".join(emitter.table_lines)
    k = len(facts.ranges)
    low, high = (", ".join(number(bound, "float") for bound in ends) for ends in _bounds(facts))
    inside = f"""
    static const float low[] = {{{low}}}, high[] = {{{high}}}; /* with tolerance */
    int32_t i, found = {big}_OK;
    for (i = 0; i < {k}; ++i) {{
        if (!(condition[i] - condition[i] == 0.0f)) return {big}_NOT_FINITE;
        if (condition[i] < low[i] || condition[i] > high[i]) found = {big}_OUT_OF_RANGE;
    }}
    return found;"""
    functions = f"""
int {name}_in_range(const float *condition)
{{{inside if k else f"{chr(10)}    (void)condition;{chr(10)}    return {big}_OK;"}
}}

int {name}_sample(const float *condition{_arguments(facts)}, float *out)
{{
{buffers}
    const int state = {name}_in_range(condition);
    int32_t h = 0, i = 0, j = 0;
    (void)h; (void)i; (void)j;
    if (state == {big}_NOT_FINITE) return state;
{body}
    return state;
}}

void {name}_noise(uint64_t seed, uint64_t event{_arguments(facts, constant=False)})
{{
    (void)seed; (void)event;
{draws}
}}

int {name}_generate(const float *condition, uint64_t seed, uint64_t event, float *out)
{{
{arrays}    {name}_noise(seed, event{passed});
    return {name}_sample(condition{passed}, out);
}}
"""
    sums = "".join(f"\n * SHA-256 of the {key}: {value}" for key, value in facts.checksums.items())
    return f"""/* {name}: written by facsim, see {name}.h; about {stack} bytes of stack a call.{sums}
 */
#include "{name}.h"

#include <float.h>
#include <math.h>
#include <string.h>
{functions_for(body + draws)}
{tables}
{functions}"""
