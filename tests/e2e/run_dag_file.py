"""Run a DAG file as a program, as Airflow's documentation advises, and fail if Airflow prints a warning.

Each file needs a new process, because an operator prints its warning only when it is imported for the first time. This
program runs with the Python of the Airflow installation.
"""

import runpy
import sys
import warnings

import airflow

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    names = runpy.run_path(sys.argv[1])

# A warning concerns Airflow if its class belongs to Airflow, or if a line of this DAG file raised it. All other
# warnings concern other libraries.
of_airflow = [
    f"{warning.category.__name__}: {warning.message}"
    for warning in caught
    if warning.category.__module__.partition(".")[0] == airflow.__name__ or warning.filename == sys.argv[1]
]
if of_airflow or not isinstance(names.get("dag"), airflow.DAG):
    sys.exit("\n".join(of_airflow) or "the file has no DAG named `dag`")
