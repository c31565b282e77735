"""Readiness is a token that the model really made a moment ago, through the whole path."""

import asyncio
import logging
import time
from collections.abc import Callable

from proctor_runtime.engine.protocol import GenerateRequest
from proctor_runtime.transports.protocol import Transport

FRESH_SECONDS = 2.0
"""How long a token proves that the model works, so that probes cost it next to nothing."""

PROBE = GenerateRequest(prompt=(0,), max_new_tokens=1)

logger = logging.getLogger(__name__)


class Readiness:
    """Asks the model for a token when it has made none of late.

    It gives up before the kubelet does, so that a step which began meanwhile still counts.
    """

    def __init__(
        self,
        transport: Transport,
        last_token: Callable[[], float],
        *,
        timeout_seconds: float = 8.0,
    ) -> None:
        self._transport = transport
        self._last_token = last_token
        self._timeout = timeout_seconds
        self._asking = asyncio.Lock()

    async def check(self) -> bool:
        """Tell whether the model answers; probes that come together share one question."""
        if not await self._transport.is_ready():
            return False
        async with self._asking:
            return self._is_fresh() or await self._ask()

    def _is_fresh(self) -> bool:
        """Tell whether the engine made a token just now: busy is ready."""
        return time.monotonic() - self._last_token() < FRESH_SECONDS

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(self._timeout):
                await self._transport.generate([PROBE])
        except TimeoutError:
            return self._is_fresh()
        except Exception:
            logger.exception("the readiness probe's generation failed")
            return False
        return True
