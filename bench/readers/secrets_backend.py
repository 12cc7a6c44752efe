"""Read the docker login with a secrets backend of Airflow, and print the cost of each batch of reads as JSON.

The arguments are the class of the backend, its arguments as JSON, and the number of reads in a batch. Each line on
stdin starts a batch. The first read is not part of a batch, because it creates the client.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module

from bench.readers.reading import is_usable


def read_in_batches(read: Callable[[], str | None], reads: int) -> None:
    """Print `ready` after the first read, and the cost of a batch for each line on stdin.

    The program exits if a batch does not end with a usable docker login.
    """
    value = read()
    print("ready", flush=True)
    for _ in sys.stdin:
        wall, cpu = time.monotonic(), time.process_time()
        for _ in range(reads):
            value = read()
        cost = {
            "wall_seconds": time.monotonic() - wall,
            "cpu_milliseconds": (time.process_time() - cpu) * 1000,
            "peak_mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,  # Linux reports KiB.
        }
        if not is_usable(json.loads(value or "{}")):
            sys.exit("The backend did not return a usable docker login")
        print(json.dumps(cost), flush=True)


if __name__ == "__main__":
    path, arguments, number = sys.argv[1:]
    module, _, name = path.rpartition(".")
    backend = getattr(import_module(module), name)(**json.loads(arguments))
    read_in_batches(lambda: backend.get_conn_value("docker_default"), int(number))
