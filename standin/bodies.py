"""The bodies of the requests that backend and workers take."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, field_validator


class StartRequest(BaseModel):
    """The body of a start request."""

    model_path: str
    strategy_name: str
    symbol: str
    timeframe: str
    start_date: str
    end_date: str
    initial_capital: float = 100_000.0
    commission: float = 0.001
    slippage: float = 0.0005

    @field_validator("model_path", "strategy_name", "symbol", "timeframe")
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("Field cannot be empty")
        return value

    @field_validator("start_date", "end_date")
    @classmethod
    def _a_date(cls, value: str) -> str:
        try:
            return date.fromisoformat(value[:10]).isoformat()
        except ValueError:
            raise ValueError(f"Invalid date format. Use YYYY-MM-DD: {value}") from None

    @field_validator("initial_capital")
    @classmethod
    def _positive(cls, value: float) -> float:
        if value <= 0:
            raise ValueError("Initial capital must be positive")
        return value


class CancelRequest(BaseModel):
    """The optional body of a cancel."""

    reason: str | None = None
    force: bool = False


class RangeRequest(BaseModel):
    """The body of a question for the range of the data."""

    symbol: str
    timeframe: str


class Registration(BaseModel):
    """What a worker says of itself when it starts."""

    worker_id: str
    worker_type: str
    url: str
    endpoint_url: str


class CancelBody(BaseModel):
    """What the backend sends along with a cancel."""

    reason: str | None = None
