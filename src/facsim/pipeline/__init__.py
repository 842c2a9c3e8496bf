"""The lifecycle: its stages in order, and what each depends on."""

from facsim.pipeline.lifecycle import STAGES, find_stages, stages_of
from facsim.pipeline.preflight import check_extras, check_plan, check_training
from facsim.pipeline.stage import Done, Stage, check_upstream, reason, run_stage

__all__ = [
    "STAGES",
    "Done",
    "Stage",
    "check_extras",
    "check_plan",
    "check_training",
    "check_upstream",
    "find_stages",
    "reason",
    "run_stage",
    "stages_of",
]
