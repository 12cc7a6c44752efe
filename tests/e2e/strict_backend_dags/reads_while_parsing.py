"""A DAG file that reads a required connection while Airflow parses the file."""

from datetime import datetime

from airflow import DAG
from airflow.providers.common.compat.sdk import BaseHook

BaseHook.get_connection("required_missing")
DAG(dag_id="reads_while_parsing", schedule=None, start_date=datetime(2026, 1, 1))
