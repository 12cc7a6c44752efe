"""End-to-end tests (`make e2e`): the processes of Airflow, a docker engine, and the stacks on an embedded AWS."""

INSIDE = "AIRFLOW_ECR_LOGIN_E2E"
"""The environment variable that tells a test that it runs inside the namespaces. Its value names the control group."""
