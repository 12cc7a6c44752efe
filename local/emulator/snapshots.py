"""Snapshots of the embedded AWS: everything that it holds in a file, from which another one starts.

Tests deploy once and then start from copies. A copy answers on another port and has certificates of its own.

MiniStack can persist its state (PERSIST_STATE), but drops sessions and the last runs of schedules, and does not know
what the patches hold.
"""

import importlib
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, AccountScopedDict

from local.emulator.patches import clock

# What is kept elsewhere than in MiniStack's own kinds of stores.
_OTHER_STORES = (
    ("ministack.services.eventbridge", "_rule_last_fired"),
    ("ministack.services.scheduler", "_schedule_last_fired"),
    ("ministack.services.sts", "_sessions"),
    ("local.emulator.patches.cloudwatch", "_counted_messages"),
    ("local.emulator.patches.registry", "_tokens"),
)


def save(file: Path) -> None:
    """Write a snapshot. Nothing may be running meanwhile: no deploy, no function."""
    stores = {(module, name): _contents(module, name) for module, name in _stores()}
    pickled = pickle.dumps((clock.minutes_advanced(), stores))
    file.write_bytes(pickle.dumps((_gateway(), pickled)))


def load(file: Path) -> None:
    """Hold what a snapshot holds. For a server that has not served any request.

    Raises:
        ValueError: this server's port has another number of digits than that of the snapshot.
    """
    gateway, pickled = pickle.loads(file.read_bytes())  # noqa: S301  # the tests wrote it
    if len(gateway) != len(_gateway()):
        raise ValueError(f"a snapshot of {gateway.decode()} cannot move to {_gateway().decode()}: the lengths differ")
    # URLs of queues hold the port. A replacement of the same length leaves the pickle intact.
    minutes, stores = pickle.loads(pickled.replace(gateway, _gateway()))  # noqa: S301
    for (module, name), contents in stores.items():
        # In place: other modules hold the same store.
        _contents(module, name).clear()
        _contents(module, name).update(contents)
    clock._minutes_advanced = minutes


def _stores() -> Iterator[tuple[str, str]]:
    """The module and name of each store. A service that nobody has called is not imported and holds nothing."""
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("ministack.services."):
            for name, value in vars(module).items():
                if isinstance(value, (AccountScopedDict, AccountRegionScopedDict)):
                    yield module_name, name
    yield from _OTHER_STORES


def _contents(module: str, name: str) -> Any:
    store = getattr(importlib.import_module(module), name)
    return store if isinstance(store, (dict, set)) else store._data


def _gateway() -> bytes:
    return f"{os.environ['MINISTACK_HOST']}:{os.environ['GATEWAY_PORT']}".encode()
