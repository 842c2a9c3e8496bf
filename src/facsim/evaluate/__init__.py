"""Scorecards: observables, metrics and nulls joined, two-sample tests by classifiers, memorisation, timing."""
