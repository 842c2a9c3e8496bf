"""Judging scores of anomaly: tables of predictions, scores without a sign, a choice among them, scorecards."""
