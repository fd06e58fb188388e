"""A digital neck with known truth: anatomy, tracer, scanner, two visits. Everything it makes is simulated."""
