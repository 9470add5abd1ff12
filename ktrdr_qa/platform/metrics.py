"""What a process of KTRDR's says of itself, in Prometheus text under these names."""

from __future__ import annotations

MEMORY, FILES, ACTIVE, PROCESSOR = (
    "process_resident_memory_bytes",
    "process_open_fds",
    "ktrdr_operations_active",
    "process_cpu_seconds_total",
)


def figures(text: str, *names: str) -> dict[str, float]:
    """Of a process's metrics those of these names, by name; of one that has labels the sum over them."""
    from prometheus_client.parser import text_string_to_metric_families  # 65 ms: only where it is used

    # Parsing all of a large text would take longer than reading it.
    lines = (line for line in text.split("\n") if line.startswith(names))
    found: dict[str, float] = {}
    for family in text_string_to_metric_families("\n".join(lines)):
        for sample in family.samples:
            if sample.name in names:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found
