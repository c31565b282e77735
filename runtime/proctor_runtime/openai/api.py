"""All that the HTTP application is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proctor_runtime.openai.metrics import Metrics
from proctor_runtime.openai.options import BODY_LIMIT
from proctor_runtime.openai.readiness import Readiness
from proctor_runtime.openai.service import Service
from proctor_runtime.openai.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class Api:
    """One model's API and what keeps watch over it."""

    service: Service
    readiness: Readiness
    metrics: Metrics
    traffic: Traffic
    describe: Callable[[], dict[str, Any]]
    """What ``/v1/engine`` says."""
    body_limit: int = BODY_LIMIT
