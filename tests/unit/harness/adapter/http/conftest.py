import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

HERE = Path(__file__).parent


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]] | None:
    """Here, the event loop that the adapter runs on."""
    return {"uvloop": uvloop.new_event_loop} if item.path.is_relative_to(HERE) else None
