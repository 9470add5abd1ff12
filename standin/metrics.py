"""A process's own figures in Prometheus text, under KTRDR's names."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)


class Metrics:
    """The figures of one process; the processor time is the operating system's, never ours to choose."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._all = CollectorRegistry()
        ProcessCollector(registry=self._all)
        by_type = ["worker_type"]
        self.registered = Gauge(
            "ktrdr_workers_registered_total", "Total registered workers", by_type, registry=self._all
        )
        self.available = Gauge("ktrdr_workers_available", "Currently available workers", by_type, registry=self._all)
        self.active = Gauge("ktrdr_operations_active", "Active operations count", registry=self._all)
        self.operations = Counter(
            "ktrdr_operations_total", "Total operations", ["operation_type", "status"], registry=self._all
        )

    def ended(self, status: str) -> None:
        """Count an operation that has reached a final status."""
        self.operations.labels(operation_type="backtesting", status=status).inc()

    def text(self) -> bytes:
        return generate_latest(self._all)
