"""Where it runs: Prefect tasks and the Ray actors between the flows and the library."""
