"""Engines: a list of shards, the processes or Dask workers that make them, and what becomes of their files.

What a shard holds is the work of a function that a `Job` names: events of a model (`sampling`), of a simulator
(`simulating`), or what a higher layer does.
"""
