"""The configuration of a run: one YAML file, every key checked, every typo named with its path."""

from facsim.config.load import RECIPES, check_names, load_config, recipe, save_config
from facsim.config.sections import DataConfig, ModelConfig, RunConfig

__all__ = ["RECIPES", "DataConfig", "ModelConfig", "RunConfig", "check_names", "load_config", "recipe", "save_config"]
