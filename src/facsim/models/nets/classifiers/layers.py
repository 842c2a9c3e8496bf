"""Grids whose layers differ in their cells."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.core.errors import FacsimError
from facsim.models.nets.classifiers.base import ClassifierNetwork, Inputs, head


class LayersClassifier(ClassifierNetwork):
    """One small network a layer, then a convolution along the shower.

    Args:
        inputs: x (V,), context (K,) and the number of cells of each layer, which add up to V. outputs: classes.
        token: numbers that a layer is reduced to. width: of the last layers. dropout: before the output.
        lit: whether the network is also told which cells are above zero.

    Raises:
        FacsimError: the layers do not add up.
    """

    def __init__(
        self,
        inputs: Inputs,
        outputs: int,
        token: int = 24,
        width: int = 96,
        dropout: float = 0.1,
        lit: bool = True,
    ) -> None:
        super().__init__(inputs, outputs)
        self.lit = lit
        if sum(inputs.layers) != inputs.x[0]:
            raise FacsimError(
                f"the layers of the geometry have {sum(inputs.layers)} cells, but an event has {inputs.x[0]}."
            )
        self.embed = nn.ModuleList(nn.Linear(2 * cells if lit else cells, token) for cells in inputs.layers)
        self.along = nn.Conv1d(token, token, 3, padding=1)
        self.out = head(2 * token * len(inputs.layers) + inputs.context, width, outputs, dropout)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        parts = torch.split(x, list(self.inputs.layers), dim=1)
        tokens = [
            F.silu(embed(torch.cat([part, (part > 0).to(x.dtype)], dim=1) if self.lit else part))
            for embed, part in zip(self.embed, parts, strict=True)
        ]
        h = torch.stack(tokens, dim=2)
        h = torch.cat([h, F.silu(self.along(h))], dim=1).flatten(1)
        out: Tensor = self.out(torch.cat([h, context], dim=-1))
        return out
