"""What the teacher of a run's student says: what the student is measured by."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource
from facsim.core.schema import Feature
from facsim.evaluate.scorers.base import Scorer
from facsim.models.checkpoint import load_predictor
from facsim.models.student import Student

AT_ONCE = 256


@dataclass(kw_only=True)
class Teacher(Scorer):
    """Scores of the teacher that is kept with a student in `folder`; in a run, that of the run's own student.

    Raises:
        FacsimError: the folder holds no student, or one without its teacher.
    """

    name = "teacher"
    learns = "nothing"
    folder: str = ""
    _student: Student | None = field(default=None, init=False, repr=False, compare=False)

    def _fit(self, background: EventSource, signal: EventSource | None, seed: int) -> tuple[Feature, ...]:
        found = load_predictor(Path(self.folder))
        if not isinstance(found, Student):
            raise FacsimError(
                f"the baseline 'teacher' needs a student, and '{self.folder}' holds another predictor: leave it out of "
                "'baselines'."
            )
        self._student = found
        return (Feature("teacher"),)

    def _predict(self, events: Events) -> NDArray[Any]:
        assert self._student is not None
        parts = []
        for first in range(0, len(events), AT_ONCE):
            part = events[first : first + AT_ONCE]
            x, cond = (torch.as_tensor(np.asarray(array), dtype=torch.float32) for array in (part.x, part.cond))
            with torch.inference_mode():
                parts.append(self._student.teacher_scores(x, cond).double().numpy())
        return np.concatenate(parts)
