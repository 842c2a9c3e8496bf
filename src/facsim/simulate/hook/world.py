"""Geometries of the demonstration: material, a gap, and the calorimeter whole or as a box that catches particles."""

from __future__ import annotations

from typing import Any

from facsim.physics.materials import find_material
from facsim.simulate.detector import Detector
from facsim.simulate.g4data import WORLD
from facsim.simulate.geant4 import CM, GAP, world_definition

FRONT = "G4_Si"
"""What lies in front: silicon, as in a tracker."""
DISTANCE = 300.0
"""From the material to the calorimeter's face, mm of vacuum."""


def front_thickness(material: float) -> float:
    """Thickness in mm of `material` radiation lengths of silicon."""
    return material * find_material(FRONT).x0


def start(material: float) -> float:
    """z of the gun, mm: a little in front of the material, on the calorimeter's axis."""
    return -(DISTANCE + front_thickness(material) + GAP)


def full_world(detector: Detector, material: float) -> dict[str, Any]:
    """calzone's geometry: `material` radiation lengths of silicon in front of the calorimeter, whose face is z = 0."""
    definition = world_definition(detector)
    world, thickness = definition["World"], front_thickness(material)
    width, _, depth = world["box"]
    world["box"] = [width, width, depth + 2 * (DISTANCE + thickness) / CM]
    if thickness > 0:
        place = [0.0, 0.0, -(DISTANCE + thickness / 2) / CM]
        box = [detector.size / CM, detector.size / CM, thickness / CM]
        world["Front"] = {"box": box, "material": FRONT, "position": place}
    return definition


def front_world(detector: Detector, material: float) -> dict[str, Any]:
    """The same with an empty box in place of the calorimeter that stops every particle that enters, and records it."""
    definition = full_world(detector, material)
    world = definition["World"]
    for name in [name for name in world if name.startswith("L")]:
        del world[name]
    size, depth = detector.size / CM, detector.depth / CM
    box = {"box": [size, size, depth], "material": WORLD, "position": [0.0, 0.0, depth / 2]}
    world["Calorimeter"] = {**box, "role": "catch_ingoing"}
    return definition
