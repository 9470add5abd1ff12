"""The platform is not there, or not all of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from standin import contract, market
from standin.faults.known import fault
from standin.seams import Answer, Ask, Seam, answer

HEALTH = "/api/v1/health"


@fault("preflight-api-down")
class ApiDown(Seam):
    def serves(self) -> bool:
        return False


@fault("preflight-health-503")
class Health503(Seam):
    async def instead(self, ask: Ask) -> Answer | None:
        return answer(503, contract.detail("Service unavailable")) if ask.path == HEALTH else None


@fault("preflight-health-hangs")
class HealthHangs(Seam):
    async def instead(self, ask: Ask) -> Answer | None:
        return Answer(200, b"", delivery="never") if ask.path == HEALTH else None


@fault("preflight-no-worker")
class NoWorker(Seam):
    def registers_as(self, worker_type: str) -> str | None:
        return None


@fault("preflight-only-training-worker")
class OnlyTrainingWorker(Seam):
    def registers_as(self, worker_type: str) -> str | None:
        return "training"


@fault("preflight-worker-registered-but-dead")
class WorkerRegisteredButDead(Seam):
    def registered(self) -> None:
        os._exit(1)

    def checks_workers(self) -> bool:
        return False


@fault("preflight-model-missing")
class ModelMissing(Seam):
    def home(self, home: Path) -> None:
        shutil.rmtree(home / "models" / "neuro_mean_reversion")


@fault("preflight-strategy-missing")
class StrategyMissing(Seam):
    def home(self, home: Path) -> None:
        (home / "strategies" / "neuro_mean_reversion.yaml").unlink()


@fault("preflight-data-missing")
class DataMissing(Seam):
    def home(self, home: Path) -> None:
        daily = market.data_file(home, "EURUSD", "1d")
        daily.replace(market.set_aside(daily))


@fault("preflight-data-ends-early")
class DataEndsEarly(Seam):
    def home(self, home: Path) -> None:
        daily = market.data_file(home, "EURUSD", "1d")
        whole = market.set_aside(daily)
        daily.replace(whole)
        lines = whole.read_text(encoding="ascii").splitlines(keepends=True)
        daily.write_text("".join(line for line in lines if not line[0].isdigit() or line < "2022"), "ascii")
