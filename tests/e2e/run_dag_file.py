"""Run a DAG file as a program, as Airflow's documentation advises, and fail if Airflow prints a warning.

Each file needs a new process, because operators warn only when they are imported for the first time. This program runs
on Airflow's Python.
"""

import runpy
import sys
import warnings

import airflow

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    names = runpy.run_path(sys.argv[1])

# Warnings of Airflow: of a class of Airflow, or raised by a line of this DAG file. Others concern other libraries.
of_airflow = [
    f"{warning.category.__name__}: {warning.message}"
    for warning in caught
    if warning.category.__module__.partition(".")[0] == airflow.__name__ or warning.filename == sys.argv[1]
]
if of_airflow or not isinstance(names.get("dag"), airflow.DAG):
    sys.exit("\n".join(of_airflow) or "the file has no DAG named `dag`")
