"""Reconstruction of tracks in the TPC: cells to clusters, clusters to tracks, tracks to momenta and dE/dx.

Nothing here knows what was simulated; `matching` compares afterwards.
"""
