"""From `deployments/prefect.yaml` to a Prefect server: what should be there, and the difference to what is."""
