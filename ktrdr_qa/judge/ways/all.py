"""Every way, in the order in which the table and the words tell of them."""

from __future__ import annotations

from ktrdr_qa.judge.ways import (
    cancellation_beside_others,
    cancellation_near_the_end,
    cancellation_with_reason,
    endurance,
    every_view_agrees,
    more_starts_than_workers,
    nothing_to_cancel,
    repeated_cancellation,
    restart,
    simultaneous_cancellation,
)

WAYS = (
    cancellation_near_the_end.WAY,
    cancellation_beside_others.WAY,
    more_starts_than_workers.WAY,
    every_view_agrees.WAY,
    nothing_to_cancel.WAY,
    cancellation_with_reason.WAY,
    simultaneous_cancellation.WAY,
    repeated_cancellation.WAY,
    endurance.WAY,
    restart.WAY,
)
