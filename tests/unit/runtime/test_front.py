"""What is presented of an engine."""

from dataclasses import replace

import pytest

from proctor_runtime import front
from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.fake import FakeEngine
from proctor_runtime.engine.protocol import EngineInfo, Feature
from proctor_runtime.openai.api import Api
from proctor_runtime.settings import Settings, parse
from tests.runtime.characters import CharacterTokenizer

ARGUMENTS = ["serve", "--checkpoint=/m/c", "--tokenizer=/m/t", "--served-model-name=x"]


class GivesUp(FakeEngine):
    graphs = Feature(on=True)

    @property
    def info(self) -> EngineInfo:
        return replace(super().info, cuda_graphs=self.graphs)


def test_what_the_engine_gives_up_later_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = GivesUp()
    told = []

    def listen(api: Api, **_: object) -> None:
        told.append(api.describe()["cudaGraphs"])
        engine.graphs = Feature(on=False, reason="out of memory")
        told.append(api.describe()["cudaGraphs"])

    monkeypatch.setattr(front, "listen", listen)
    settings = parse([*ARGUMENTS, "--transport=in-process"])
    assert isinstance(settings, Settings)
    tokenizer = CharacterTokenizer()
    front.present(Batcher(engine, decode=tokenizer.decode), tokenizer, settings, "sha256:abc")
    assert told == ["on", "off: out of memory"]
