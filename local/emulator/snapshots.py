"""Snapshots of the AWS emulator: files with the whole state of an emulator, from which another emulator can start.

The tests deploy once, and each test worker then starts a copy of this emulator. Each copy has its own port and
certificates.

MiniStack can also save its state (PERSIST_STATE). But it does not save sessions, the last runs of schedules, and the
state of the patches.
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

# State that is not in a store of a MiniStack service, of the classes AccountScopedDict and AccountRegionScopedDict.
_OTHER_STORES = (
    ("ministack.services.eventbridge", "_rule_last_fired"),
    ("ministack.services.scheduler", "_schedule_last_fired"),
    ("ministack.services.sts", "_sessions"),
    ("local.emulator.patches.associations", "_associations"),
    ("local.emulator.patches.cloudwatch", "_counted_messages"),
    ("local.emulator.patches.create_on_push", "_templates"),
    ("local.emulator.patches.registry", "_tokens"),
)


def save(file: Path) -> None:
    """Write a snapshot after all runs of functions have ended. No deployment may run meanwhile."""
    clock.finish_due_runs()
    stores = {(module, name): _contents(module, name) for module, name in _stores()}
    pickled = pickle.dumps((clock.minutes_advanced(), stores))
    file.write_bytes(pickle.dumps((_gateway(), pickled)))


def load(file: Path) -> None:
    """Replace the emulator's state with a snapshot. The server must not have served any request before.

    Raises:
        ValueError: the number of digits in the server's port and in the snapshot's port differ.
    """
    gateway, pickled = pickle.loads(file.read_bytes())  # noqa: S301  # the tests wrote it
    if len(gateway) != len(_gateway()):
        raise ValueError(f"a snapshot of {gateway.decode()} cannot move to {_gateway().decode()}: the lengths differ")
    # The URLs of queues contain the port. The pickle stays valid because the replacement has the same length.
    minutes, stores = pickle.loads(pickled.replace(gateway, _gateway()))  # noqa: S301
    for (module, name), contents in stores.items():
        # The store is changed in place, because other modules refer to the same object.
        _contents(module, name).clear()
        _contents(module, name).update(contents)
    clock._minutes_advanced = minutes


def _stores() -> Iterator[tuple[str, str]]:
    """Yield the module and the name of each store. A service without requests is not imported and has no state."""
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
