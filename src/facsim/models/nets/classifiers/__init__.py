"""Networks that tell classes of events apart. They know no method and no test: inputs to outputs, (N, classes).

`NETWORKS` lists them. A network is built as `network(inputs, outputs)`, further arguments being options with defaults,
and is called as `network(x, context, mask)`. To add one: a file in this folder and a line here.
"""

from __future__ import annotations

from facsim.models.nets.classifiers.base import ClassifierNetwork, Inputs
from facsim.models.nets.classifiers.cloud import CloudClassifier
from facsim.models.nets.classifiers.epic_gan import EPiCClassifier
from facsim.models.nets.classifiers.gapt import GAPTClassifier, InducedGAPTClassifier
from facsim.models.nets.classifiers.grid import GridClassifier
from facsim.models.nets.classifiers.image import ImageClassifier
from facsim.models.nets.classifiers.layers import LayersClassifier
from facsim.models.nets.classifiers.mpgan import MPGANClassifier
from facsim.models.nets.classifiers.resnet import ResNet3D
from facsim.models.nets.classifiers.table import PlainClassifier, TableClassifier

NETWORKS: dict[str, type[ClassifierNetwork]] = {
    "table": TableClassifier,
    "grid": GridClassifier,
    "image": ImageClassifier,
    "layers": LayersClassifier,
    "cloud": CloudClassifier,
    "plain": PlainClassifier,
    "resnet-3d": ResNet3D,
    "epic-gan": EPiCClassifier,
    "gapt": GAPTClassifier,
    "igapt": InducedGAPTClassifier,
    "mpgan": MPGANClassifier,
}

__all__ = ["NETWORKS", "ClassifierNetwork", "Inputs"]
