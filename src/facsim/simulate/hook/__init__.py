"""Fast simulation inside Geant4: particles caught at the calorimeter's face, and what becomes of them.

`world` and `engine` run Geant4 in a worker process (`worker`, `calls`); `guard` says which caught particles a surrogate
may take, `pairs` turns photons into electron showers, `placement` puts showers into the event's read-out.
"""
