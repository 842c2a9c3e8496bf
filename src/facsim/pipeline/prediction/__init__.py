"""The stages of runs of predictors (`RunConfig.predicts`): `sample` predicts, `evaluate` judges scores, and so on."""

STAGES = ("sample", "evaluate", "export", "timing", "report")
"""What differs from runs of generative models: the function of that name in the module of that name."""
