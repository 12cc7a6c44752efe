"""Read the connection as Airflow does, at least so often, with such pauses, and until standard input closes.

Prints "reading" after the first read, and at the end a line of JSON: reads, failed, the longest time between two reads
that succeeded in seconds, and how many different logins were read. Runs on Airflow's Python.
"""

import hashlib
import json
import logging
import select
import sys
import time

from airflow.exceptions import AirflowNotFoundException
from airflow.models.connection import Connection

logging.disable()  # Airflow 2 says with each read that it reads
at_least = int(sys.argv[1])
pause_seconds = float(sys.argv[2])
reads = failed = 0
longest = 0.0
logins = set()
last_good = time.monotonic()
while reads < at_least or not select.select([sys.stdin], [], [], 0)[0]:
    try:
        password = Connection.get_connection_from_secrets("docker_default").password or ""
    except AirflowNotFoundException:
        failed += 1
    else:
        logins.add(hashlib.sha256(password.encode()).hexdigest())
        longest = max(longest, time.monotonic() - last_good)
        last_good = time.monotonic()
    if reads == 0:
        print("reading", flush=True)
        longest = 0
    reads += 1
    time.sleep(pause_seconds)
print(json.dumps({"reads": reads, "failed": failed, "gap_seconds": round(longest, 3), "logins": len(logins)}))
