"""A predictor as C99 that needs nothing but the language's own mathematics: events in, scores out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.export.c_emit import Emitter
from facsim.export.c_runtime import functions_for
from facsim.export.c_source import buffers_of, comment, translated, write_c

STACK = 4_000_000
"""Bytes of stack of a call beyond which threads would not have them."""


@dataclass(frozen=True)
class PredictorFacts:
    """What the header says of a predictor.

    Args:
        name: beginning of all C names.
        inputs: the graph's, in its order, from the card. outputs: name and unit of each score.
        checksums: what to cite, such as {"card": sha256}.
    """

    name: str
    inputs: Mapping[str, Mapping[str, Any]]
    outputs: list[Mapping[str, str]]
    checksums: Mapping[str, str]

    @property
    def sizes(self) -> dict[str, int]:
        """Numbers of each input of one event."""
        return {name: prod(entry["shape"][1:]) for name, entry in self.inputs.items()}


def predictor_facts(card: Mapping[str, Any], name: str, card_sha256: str) -> PredictorFacts:
    """The facts of an exported predictor from its card.

    Raises:
        FacsimError: its events have no fixed size.
    """
    if "points" in card["inputs"]["events"]["shape"]:
        raise FacsimError(
            "C is written for predictors of tables and grids, and this one's events are points of any number: leave "
            "the C export out with --set export.c=false."
        )
    checksums = {"card": card_sha256, "graph": card["graph"]["sha256"]}
    return PredictorFacts(name, card["inputs"], card["output"]["columns"], checksums)


def export_c_predictor(graph: Path, folder: Path, facts: PredictorFacts) -> tuple[Path, Path]:
    """Translate the ONNX file `graph`; write `<name>.c` and `<name>.h` into `folder`, each atomically.

    Raises:
        MissingExtraError: onnx is not installed.
        FacsimError: the graph is too large, has an operation that the C export does not know, or needs much memory.
    """
    middle = {
        name: np.array([0.5 * (column["min"] + column["max"]) for column in entry["columns"]], np.float32)
        for name, entry in facts.inputs.items()
        if name == "condition"
    }
    emitter = translated(graph, facts.name, middle)
    stack = buffers_of(emitter)[1]
    if stack > STACK:
        raise FacsimError(
            f"C of this model would need {stack / 1e6:.1f} MB of stack a call, and {STACK / 1e6:g} MB is what is "
            "taken: let it see regions or fewer cells, or leave the C export out with --set export.c=false."
        )
    return write_c(folder, facts.name, _header(facts), _source(facts, emitter))


def _arguments(facts: PredictorFacts) -> str:
    return "".join(f"const float *{name}, " for name in facts.inputs)


def _sums(facts: PredictorFacts) -> str:
    return "".join(f"\n * SHA-256 of the {key}: {value}" for key, value in facts.checksums.items())


def _named(column: Mapping[str, Any]) -> str:
    unit = f" [{column['unit']}]" if column["unit"] else ""
    trained = f", trained from {column['min']:.6g} to {column['max']:.6g}" if "min" in column else ""
    return f"{column['name']}{unit}{trained}"


def _header(facts: PredictorFacts) -> str:
    name, big = facts.name, facts.name.upper()
    lines = []
    for key, entry in facts.inputs.items():
        size = " x ".join(map(str, entry["shape"][1:]))
        order = f"; {entry['order']}" if "order" in entry else ""
        lines.append(f"\n * {key}: {size} numbers an event, in C order; columns: ")
        lines.append(comment("; ".join(map(_named, entry["columns"])) + order))
    sizes = "".join(f"#define {big}_N_{key.upper()} {size}\n" for key, size in facts.sizes.items())
    return f"""/* {name}: scores of events, trained and exported by facsim. C99; needs the C library's math.h only.
 *{_sums(facts)}
 *{"".join(lines)}
 * scores: {comment("; ".join(map(_named, facts.outputs)))}
 *
 * Any number of threads may call it: it keeps no state and reserves no memory.
 */
#ifndef {big}_H
#define {big}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

{sizes}#define {big}_N_SCORES {len(facts.outputs)}

#define {big}_OK 0
#define {big}_NOT_FINITE 2 /* an event holds what is not a number or infinite: its scores are NAN */

/* Scores of n events, one after the other in all arrays: the numbers of {big}_N_... of each. */
int {name}_predict(int32_t n, {_arguments(facts)}float *scores);

#ifdef __cplusplus
}}
#endif
#endif
"""


def _source(facts: PredictorFacts, emitter: Emitter) -> str:
    name, big = facts.name, facts.name.upper()
    body = "\n".join(emitter.lines)
    buffers, stack = buffers_of(emitter)
    tables = "\n".join(emitter.table_lines)
    tests = " && ".join(f"{name}_finite({key} + k * {big}_N_{key.upper()}, {n})" for key, n in facts.sizes.items())
    passed = "".join(f"{key} + k * {big}_N_{key.upper()}, " for key in facts.inputs)
    return f"""/* {name}: written by facsim, see {name}.h; about {stack} bytes of stack a call.{_sums(facts)}
 */
#include "{name}.h"

#include <float.h>
#include <math.h>
#include <string.h>
{functions_for(body)}
{tables}

static int {name}_finite(const float *x, int32_t n)
{{
    int32_t i, bad = 0;
    for (i = 0; i < n; ++i) bad |= !(x[i] - x[i] == 0.0f);
    return !bad;
}}

static void {name}_one({_arguments(facts)}float *out)
{{
{buffers}
    int32_t h = 0, i = 0, j = 0;
    (void)h; (void)i; (void)j;
{body}
}}

int {name}_predict(int32_t n, {_arguments(facts)}float *scores)
{{
    int32_t i, found = {big}_OK;
    int64_t k; /* n events may have more numbers than 32 bits count */
    for (k = 0; k < n; ++k) {{
        float *out = scores + k * {big}_N_SCORES;
        if ({tests}) {{
            {name}_one({passed}out);
            continue;
        }}
        for (i = 0; i < {big}_N_SCORES; ++i) out[i] = NAN;
        found = {big}_NOT_FINITE;
    }}
    return found;
}}
"""
