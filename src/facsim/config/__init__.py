"""The configuration of a run: one YAML file, every key checked, every typo named with its path."""

from facsim.config.load import check_names, load_config, load_sweep, save_config
from facsim.config.recipes import RECIPES, recipe
from facsim.config.sections import DataConfig, ModelConfig, RunConfig, run_config

__all__ = [
    "RECIPES",
    "DataConfig",
    "ModelConfig",
    "RunConfig",
    "check_names",
    "load_config",
    "load_sweep",
    "recipe",
    "run_config",
    "save_config",
]
