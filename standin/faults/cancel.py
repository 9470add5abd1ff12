"""A cancel is refused, lost, answered wrongly, or acknowledged and not carried out."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from standin import contract
from standin.contract import Operation
from standin.faults.known import fault
from standin.seams import Answer, Ask, Seam, answer
from standin.settings import Settings

if TYPE_CHECKING:
    from standin.job import Job

ACCEPTED_THEN_AFTER_S = 1.0
TOO_LATE_AFTER_S = 4.0
NEVER_BEYOND = 90.0
"""Percentage at which a backtest that cannot be stopped computes on without getting any further."""
MARKUP = "\x1b[31mFailed\x1b[0m to cancel: \x07queue <b>operations</b> | state ]]> & \udc80 gone"
"""What a platform's error text may hold: a colour code, a bell, markup, a table's bar, half a character."""


class RefusedCancel(Seam):
    """Answers every cancel without cancelling anything."""

    def answers(self, operation_id: str) -> Answer:
        raise NotImplementedError

    async def instead(self, ask: Ask) -> Answer | None:
        return self.answers(ask.operation_id or "") if ask.cancels else None


class MangledCancel(Seam):
    """Really cancels, but answers wrongly."""

    def answers(self, given: Answer) -> Answer:
        raise NotImplementedError

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        return self.answers(given) if ask.cancels and given.status == 200 else given


class LateCancel(Seam):
    """Acknowledges a cancel at once and carries it out later."""

    after_s = 0.0

    async def takes_effect(self, operation: Operation) -> bool:
        async def later() -> None:
            await asyncio.sleep(self.after_s)
            if operation.active:
                await self.backend.carry_out_cancel(operation, None)

        self.backend.soon(later())
        return False


@fault("cancel-404")
class Cancel404(RefusedCancel):
    def answers(self, operation_id: str) -> Answer:
        return answer(404, contract.not_found(operation_id))


@fault("cancel-405")
class Cancel405(RefusedCancel):
    def answers(self, operation_id: str) -> Answer:
        return answer(405, contract.detail("Method Not Allowed"))


@fault("cancel-500")
class Cancel500(RefusedCancel):
    def answers(self, operation_id: str) -> Answer:
        return answer(500, contract.error("INTERNAL_SERVER_ERROR", "An unexpected error occurred", []))


@fault("cancel-hangs")
class CancelHangs(RefusedCancel):
    def answers(self, operation_id: str) -> Answer:
        return Answer(200, b"", delivery="never")


@fault("cancel-hangs-once")
class CancelHangsOnce(Seam):
    def __init__(self) -> None:
        self._hung: set[str] = set()

    async def instead(self, ask: Ask) -> Answer | None:
        operation_id = ask.operation_id or ""
        if not ask.cancels or operation_id in self._hung:
            return None
        self._hung.add(operation_id)
        return Answer(200, b"", delivery="never")


@fault("cancel-reset-before-effect")
class CancelResetBeforeEffect(RefusedCancel):
    def answers(self, operation_id: str) -> Answer:
        return Answer(200, b"", delivery="reset")


@fault("cancel-reset-after-effect")
class CancelResetAfterEffect(MangledCancel):
    def answers(self, given: Answer) -> Answer:
        return replace(given, delivery="reset")


@fault("cancel-empty-200")
class CancelEmpty200(MangledCancel):
    def answers(self, given: Answer) -> Answer:
        return replace(given, body=b"")


@fault("cancel-success-false")
class CancelSuccessFalse(RefusedCancel):
    def answers(self, operation_id: str) -> Answer:
        told = contract.cancel_answer(operation_id, self.backend.clock.now(), None, remote_cancelled=False)
        told["data"].update(success=False, status="running", cancelled_at=None)
        return answer(200, {**told, "success": False})


@fault("cancel-202-later")
class Cancel202Later(LateCancel):
    after_s = ACCEPTED_THEN_AFTER_S

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        return replace(given, status=202) if ask.cancels and given.status == 200 else given


@fault("cancel-ignored")
class CancelIgnored(Seam):
    async def takes_effect(self, operation: Operation) -> bool:
        return False


@fault("cancel-too-late")
class CancelTooLate(LateCancel):
    after_s = TOO_LATE_AFTER_S


@fault("cancel-hits-another")
class CancelHitsAnother(Seam):
    def settings(self, settings: Settings) -> Settings:
        # Somebody else's backtest has to be there to be hit.
        return replace(settings, neighbour=True, workers=max(3, settings.workers))

    async def takes_effect(self, operation: Operation) -> bool:
        others = [each for each in self.backend.operations.values() if each.active and each is not operation]
        if others:
            await self.backend.carry_out_cancel(others[0], None)
        return False


@fault("cancel-answers-other-id")
class CancelAnswersOtherId(MangledCancel):
    def answers(self, given: Answer) -> Answer:
        body = given.json()
        body["data"]["operation_id"] = contract.new_operation_id(self.backend.clock.now())
        return given.with_json(body)


@fault("cancel-answers-completed")
class CancelAnswersCompleted(MangledCancel):
    def answers(self, given: Answer) -> Answer:
        body = given.json()
        body["data"]["status"] = "completed"
        return given.with_json(body)


@fault("cancel-rewrites-the-past")
class CancelRewritesThePast(Seam):
    def cancelled(self, operation: Operation, before: Operation) -> None:
        for earlier in self.backend.operations.values():
            if earlier.status == "completed":
                earlier.status, earlier.error_message = "cancelled", contract.CANCELLED_BY_USER


@fault("cancel-revives-the-past")
class CancelRevivesThePast(Seam):
    def cancelled(self, operation: Operation, before: Operation) -> None:
        for earlier in self.backend.operations.values():
            if earlier.status == "completed":
                earlier.status = "running"


@fault("cancel-loses-another")
class CancelLosesAnother(Seam):
    def cancelled(self, operation: Operation, before: Operation) -> None:
        for other in [each for each in self.backend.operations.values() if each.active and each is not operation]:
            del self.backend.operations[other.operation_id]


@fault("cancel-fails-another")
class CancelFailsAnother(Seam):
    def cancelled(self, operation: Operation, before: Operation) -> None:
        for other in [each for each in self.backend.operations.values() if each.active and each is not operation]:
            self.backend.end(other, "failed", 0.0, "Worker pool was reset")
            self.backend.soon(self.backend.tell_worker(other, None))


@fault("cancel-takes-neighbour-along")
class CancelTakesNeighbourAlong(Seam):
    def __init__(self) -> None:
        self._under_way = False

    def cancelled(self, operation: Operation, before: Operation) -> None:
        async def along() -> None:
            for each in list(self.backend.operations.values()):
                if each.active:
                    await self.backend.carry_out_cancel(each, None)
            self._under_way = False

        if not self._under_way:
            self._under_way = True
            self.backend.soon(along())


@fault("cancel-cannot-stop-it")
class CancelCannotStopIt(CancelIgnored):
    def bar_due(self, job: Job, done: int, total: int) -> None:
        while 100.0 * done / total >= NEVER_BEYOND:
            sum(range(1000))


@fault("cancel-500-with-markup")
class Cancel500WithMarkup(RefusedCancel):
    def answers(self, operation_id: str) -> Answer:
        return answer(500, contract.error("OPERATIONS-CancelFailed", MARKUP, []))
