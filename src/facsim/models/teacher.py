"""Teachers of students: any other predictor, trained with the student or before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from facsim.core.errors import FacsimError
from facsim.core.schema import Schema
from facsim.core.store import read_json
from facsim.models.choices import Choice, checked
from facsim.models.predictor import Predictor, PredictorOptions

if TYPE_CHECKING:
    from facsim.models.student import StudentOptions

TRAINED = "trained"
"""The name of a teacher that comes from a folder."""
Options = TypeVar("Options", bound="StudentOptions")


def find_teacher(name: str) -> type[Predictor]:
    """The predictor called `name`.

    Raises:
        FacsimError: there is none, or it is a student.
    """
    from facsim.models import find_model  # noqa: PLC0415  the table lists students too

    kind = find_model(name)
    if not issubclass(kind, Predictor) or "teacher" in kind.Options.model_fields:
        raise FacsimError(f"a teacher is a predictor that is no student, and '{name}' is none.")
    return kind


def teacher_options(teacher: Choice) -> Any:
    """Checked options of `teacher`; of a trained one its folder.

    Raises:
        FacsimError: unknown name or options, or a trained teacher without a folder.
    """
    if teacher.name != TRAINED:
        return checked(find_teacher(teacher.name).Options, teacher.options, "teacher")
    if set(teacher.options) != {"folder"} or not isinstance(teacher.options["folder"], str | Path):
        raise FacsimError("a trained teacher needs its folder and nothing else: {name: trained, folder: PATH}.")
    return Path(teacher.options["folder"])


def build_teacher(schema: Schema, options: Options) -> tuple[Predictor, Options]:
    """The teacher for events of `schema`, and the student's options with a description of it that needs no folder.

    Raises:
        FacsimError: there is no trained predictor in the folder, it is a student or of other events, or as of the
            predictor.
    """
    teacher, own = options.teacher, teacher_options(options.teacher)
    if teacher.name != TRAINED:
        if isinstance(own, PredictorOptions) and not own.background:
            own = own.model_copy(update={"background": options.background})
        return find_teacher(teacher.name)(schema, own), options
    from facsim.models.checkpoint import load_predictor  # noqa: PLC0415  it knows the table, as above

    nested = own / "models" / "surrogate"
    folder = nested if nested.is_dir() else own
    predictor = load_predictor(folder)
    if predictor.schema != schema:
        raise FacsimError(
            f"the teacher in '{folder}' was trained on events with other cells, features or conditions: train the "
            "student on the same data."
        )
    described = read_json(folder / "model.json")
    find_teacher(described["model"])  # no student, which could not be loaded as a teacher
    named = Choice(name=described["model"], **predictor.options.model_dump())
    return predictor, options.model_copy(update={"teacher": named})
