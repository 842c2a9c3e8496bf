"""One judge for several runs on the same truth: truth against truth is measured once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from facsim.pipeline.stage import Stage
from facsim.run import Run

if TYPE_CHECKING:
    from facsim.pipeline.evaluate import AnyJudge

JudgeOf = Callable[[Run], "AnyJudge"]


def one_judge() -> JudgeOf:
    """A function that gives the judge of the first run it is asked for to all: truth and judging are the same."""
    made: list[AnyJudge] = []

    def judge(run: Run) -> AnyJudge:
        from facsim.pipeline.evaluate import judge_of  # noqa: PLC0415  heavy

        if not made:
            made.append(judge_of(run))
        return made[0]

    return judge


def shared(stage: Stage, judge: JudgeOf) -> Stage:
    """`stage`, which judges with `judge` if it is the one that judges."""
    if stage.name != "evaluate":
        return stage

    def work(run: Run) -> None:
        from facsim.pipeline.evaluate import evaluate  # noqa: PLC0415  heavy

        evaluate(run, judge(run))

    return replace(stage, work=work)
