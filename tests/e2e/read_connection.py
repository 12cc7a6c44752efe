"""Read the connection repeatedly, as Airflow reads it.

The arguments are the minimum number of reads, and the pause between two reads in seconds. The program ends when it has
done this number of reads and standard input is closed. It runs with the Python of the Airflow installation.

The program prints "reading" after the first read. Its last line is JSON: the number of reads, the number of failed
reads, the longest time in seconds between two successful reads, and the number of different docker logins.
"""

import hashlib
import json
import logging
import select
import sys
import time

from airflow.exceptions import AirflowNotFoundException
from airflow.models.connection import Connection

logging.disable()  # Airflow 2 logs a line for each read.
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
