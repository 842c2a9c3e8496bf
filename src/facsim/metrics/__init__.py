"""Pure functions of two samples that return (value, error), and the score they end in."""
