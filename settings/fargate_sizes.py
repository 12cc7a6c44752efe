"""The sizes of tasks on Fargate (Amazon ECS Developer Guide, "Task size")."""

from collections.abc import Sequence
from typing import Any

MEMORY_MIB: dict[int, Sequence[int]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}
"""The memory sizes in MiB that Fargate offers for each number of CPU units."""


def memory_in_words(cpu_units: int) -> str:
    """Return the memory sizes for this number of CPU units in words, such as `512, 1024 or 2048`."""
    sizes = MEMORY_MIB[cpu_units]
    if isinstance(sizes, range):
        return f"{sizes[0]} to {sizes[-1]} in steps of {sizes.step}"
    return f"{', '.join(map(str, sizes[:-1]))} or {sizes[-1]}"


def json_schema(default_cpu_units: int, default_memory_mib: int) -> dict[str, Any]:
    """Return the JSON Schema rules for the values of `memory_mib` that each value of `cpu_units` allows."""
    rules = []
    for cpu_units, sizes in MEMORY_MIB.items():
        memory = (
            {"minimum": sizes[0], "maximum": sizes[-1], "multipleOf": sizes.step}
            if isinstance(sizes, range)
            else {"enum": [*sizes]}
        )
        rules.append(
            {
                "if": {
                    "properties": {"cpu_units": {"const": cpu_units}},
                    "required": [] if cpu_units == default_cpu_units else ["cpu_units"],
                },
                "then": {
                    "properties": {"memory_mib": memory},
                    "required": [] if default_memory_mib in sizes else ["memory_mib"],
                },
            }
        )
    return {"allOf": rules}
