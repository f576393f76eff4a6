"""Which merged models to measure first, and the region of coefficients that a study stays in."""
