"""End-to-end tests (`make e2e`) with the processes of Airflow, docker engines, and the stacks on an AWS emulator."""

INSIDE = "AIRFLOW_ECR_LOGIN_E2E"
"""The environment variable that is set for tests inside the namespaces. Its value is the name of the control group."""
