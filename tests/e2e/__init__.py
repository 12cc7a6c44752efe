"""End to end, by `make e2e`: Airflow's own processes, a docker engine, and the product on an embedded AWS."""

INSIDE = "AIRFLOW_ECR_LOGIN_E2E"
"""The environment variable by which a test knows that it is inside the namespaces: its engine's control group."""
