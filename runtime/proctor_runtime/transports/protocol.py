"""The seam between the HTTP front and the engine."""

from collections.abc import Sequence
from typing import Protocol

from proctor_runtime.engine.protocol import Completion, GenerateRequest


class Transport(Protocol):
    """Carries requests to the batcher and completions back."""

    name: str

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Completion]:
        """Answer the requests, in their order."""
        ...

    async def is_ready(self) -> bool:
        """Tell whether requests would get through."""
        ...

    def is_alive(self) -> bool:
        """Tell whether a restart could be spared; cheap, and says nothing about the model."""
        ...

    async def close(self) -> None:
        """Give connections back; the engine stays."""
        ...
