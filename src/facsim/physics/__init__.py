"""Physics formulas shared by data, baselines, models and metrics: numpy only."""
