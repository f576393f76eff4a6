"""The whole Pareto front of merged models, from a few measurements: the library, without any orchestrator."""
