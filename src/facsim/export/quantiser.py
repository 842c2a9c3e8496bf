"""ONNX Runtime's quantiser: where it is, what it is given to fix ranges, and how it is kept quiet."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from numpy.typing import NDArray

from facsim.core.errors import MissingExtraError

Given = Mapping[str, NDArray[Any]]
"""Inputs of a graph by name."""


def quantization() -> Any:
    """ONNX Runtime's module of that name.

    Raises:
        MissingExtraError: onnxruntime is not installed.
    """
    try:
        return import_module("onnxruntime.quantization")
    except ImportError:
        raise MissingExtraError("onnx", "onnxruntime") from None


def calibration(tools: Any, examples: Iterable[Given]) -> Any:
    """What the quantiser `tools` reads the `examples` from."""

    class Reader(tools.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(examples)

        def get_next(self) -> Any:
            return next(self.left, None)

    return Reader()


@contextmanager
def quietly() -> Iterator[None]:
    """Without what the quantiser tells of every array that is not of floats."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
