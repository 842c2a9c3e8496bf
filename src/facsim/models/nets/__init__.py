"""Networks that know no method: they map (state, time, condition) to an array of the state's shape."""
