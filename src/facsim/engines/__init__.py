"""Engines: a list of shards, the processes or Dask workers that make them, and what becomes of their files.

They know nothing of physics: what a shard holds is the work of a function that a `Job` names.
"""
