"""One engine and three ways to it: straight, over HTTP, and over HTTP through Triton.

``python -m bench.serving_process FOLDER`` serves until its standard input ends. It prints its URLs
as JSON; ``POST`` of a list of requests to ``straight`` runs them inside the process, so many at a
time, and answers how many seconds that took.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI

from bench.load import Body, seconds_of
from proctor_runtime.engine.batcher import Batcher, launch
from proctor_runtime.engine.megatron.source import ModelSource
from proctor_runtime.front import served_model, transport_to
from proctor_runtime.openai.api import Api
from proctor_runtime.openai.app import create_app
from proctor_runtime.openai.completions import plan_completion
from proctor_runtime.openai.listen import configuration
from proctor_runtime.openai.metering import MeteredQueue
from proctor_runtime.openai.metrics import Metrics
from proctor_runtime.openai.readiness import Readiness
from proctor_runtime.openai.schema.completion import CompletionRequest
from proctor_runtime.openai.service import Service
from proctor_runtime.openai.traffic import Traffic
from proctor_runtime.serve import load_engine
from proctor_runtime.settings import Settings, parse
from proctor_runtime.tokenizer import HuggingFaceTokenizer
from proctor_runtime.transports.in_process import InProcessTransport
from proctor_runtime.transports.protocol import Transport
from tests.runtime.server_process import free_ports


def main(folder: Path) -> None:
    """Serve."""
    settings = parse([
        "serve",
        f"--checkpoint={folder / 'checkpoint'}",
        f"--tokenizer={folder / 'tokenizer'}",
        "--served-model-name=bench",
        "--max-sequence-length=1024",
    ])  # fmt: skip
    if not isinstance(settings, Settings):
        raise TypeError(settings)
    source = ModelSource(checkpoint=settings.checkpoint, max_sequence_length=1024)
    tokenizer = HuggingFaceTokenizer(settings.tokenizer)
    batcher = launch(lambda: Batcher(load_engine(source), decode=tokenizer.decode))
    metrics = Metrics("bench", batcher.engine.info.max_sequence_length)
    queue = MeteredQueue(batcher, metrics)
    model = served_model(batcher, tokenizer, settings)
    with transport_to(queue, model, settings) as triton:
        straight = InProcessTransport(queue)
        apps = {
            "straight": straight_app(Service(model=model, transport=straight)),
            "http": api(Service(model=model, transport=straight), batcher, metrics),
            "triton": api(Service(model=model, transport=triton), batcher, metrics),
        }
        uvloop.run(serve(apps, triton))
    batcher.close()


def api(service: Service, batcher: Batcher, metrics: Metrics) -> FastAPI:
    """Return the API as it is served."""
    readiness = Readiness(service.transport, batcher.last_token)
    return create_app(
        Api(service=service, readiness=readiness, metrics=metrics, traffic=Traffic(), describe=dict)
    )


def straight_app(service: Service) -> FastAPI:
    """Return an application that runs whole loads."""
    app = FastAPI()

    async def ask(body: Body) -> None:
        plan = plan_completion(CompletionRequest.model_validate(body), service.model)
        await service.transport.generate(plan.asked)

    @app.post("/straight")
    async def straight(bodies: list[dict[str, Any]]) -> float:
        return await seconds_of(bodies, ask)

    return app


async def serve(apps: dict[str, FastAPI], triton: Transport) -> None:
    """Serve the applications until standard input ends."""
    ports = dict(zip(apps, free_ports(len(apps)), strict=True))
    servers = [
        uvicorn.Server(configuration(app, host="127.0.0.1", port=ports[name]))
        for name, app in apps.items()
    ]
    serving = asyncio.gather(*[server.serve() for server in servers])
    while not all(server.started for server in servers):  # noqa: ASYNC110  uvicorn has no event
        await asyncio.sleep(0.05)
    print(
        json.dumps({name: f"http://127.0.0.1:{port}" for name, port in ports.items()}), flush=True
    )
    await asyncio.to_thread(sys.stdin.read)
    for server in servers:
        server.should_exit = True
    await serving
    await triton.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
