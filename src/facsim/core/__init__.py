"""The vocabulary of facsim: events, schemas, geometries, files, seeds and errors."""
