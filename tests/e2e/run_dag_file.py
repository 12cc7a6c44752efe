"""Run a DAG file as a program, as Airflow's documentation advises, and fail if Airflow warns of anything in it.

Each file in a process of its own: operators warn when they are imported for the first time. Runs on Airflow's Python.
"""

import runpy
import sys
import warnings

import airflow

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    names = runpy.run_path(sys.argv[1])

# Airflow's own kinds are named after it or are FutureWarnings of its; other libraries' belong to their users.
of_airflow = [
    f"{warning.category.__name__}: {warning.message}"
    for warning in caught
    if warning.category.__module__.partition(".")[0] == airflow.__name__ or warning.filename == sys.argv[1]
]
if of_airflow or not isinstance(names.get("dag"), airflow.DAG):
    sys.exit("\n".join(of_airflow) or "no DAG in it")
