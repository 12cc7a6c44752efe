"""End to end: Airflow's own processes, a docker engine, and the product deployed to an embedded AWS. `make e2e` runs it."""

INSIDE = "AIRFLOW_ECR_LOGIN_E2E"
"""The environment variable by which a test knows that it is inside the namespaces: its engine's control group."""
