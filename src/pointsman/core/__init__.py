"""The nouns that every level shares. No torch, no HTTP, no files."""

from pointsman.core.errors import (
    BadRequest,
    InternalError,
    NotFound,
    OverBudget,
    PointsmanError,
    Unsupported,
    Unverified,
    UpstreamError,
)
from pointsman.core.records import Cost, Decision, Forecast, Outcome

__all__ = [
    "BadRequest",
    "Cost",
    "Decision",
    "Forecast",
    "InternalError",
    "NotFound",
    "Outcome",
    "OverBudget",
    "PointsmanError",
    "Unsupported",
    "Unverified",
    "UpstreamError",
]
