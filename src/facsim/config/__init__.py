"""The configuration of a run: one YAML file, every key checked, every typo named with its path."""

from facsim.config.load import load_config, recipe, save_config
from facsim.config.sections import DataConfig, ModelConfig, RunConfig

__all__ = ["DataConfig", "ModelConfig", "RunConfig", "load_config", "recipe", "save_config"]
