import re
from pathlib import Path

import pytest
import yaml

from proctor_crds.evaluation_run import EvaluationRunSpec
from proctor_harness.adapter import chain
from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.interceptors import INTERCEPTORS, post_eval_report
from proctor_harness.adapter.load import load
from tests.builders import run_manifest

DOCUMENT = (Path(__file__).parents[4] / "docs" / "adapter.md").read_text()
EVERYWHERE = InterceptorConfig.model_fields.keys()
CONFIGS = {name: module.Config for name, module in INTERCEPTORS.items()}


def row(name: str) -> str:
    [found] = [
        line
        for line in DOCUMENT.splitlines()
        if line.startswith("| ") and f"`{name}`" in line.split("|")[1]
    ]
    return found


@pytest.mark.parametrize("name", [*INTERCEPTORS, "post_eval_report"])
def test_each_interceptor_is_documented_with_its_fields(name: str) -> None:
    config = CONFIGS.get(name, post_eval_report.Config)
    fields = re.findall(r"`([a-z_]+)`", row(name).split("|")[3])
    assert sorted(fields) == sorted(config.model_fields.keys() - EVERYWHERE)


def test_the_example_is_a_configuration() -> None:
    of_run, example, own = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    spec = EvaluationRunSpec.model_validate(run_manifest()["spec"] | yaml.safe_load(of_run))
    names = [link.name for link in chain.links(load(spec.adapter or {}))]
    assert names == ["system_message", "endpoint"]
    assert [link.name for link in chain.links(load(yaml.safe_load(example)))][-2:] == [
        "endpoint",
        "caching",
    ]
    assert load(yaml.safe_load(own)).discovery.dirs == ["/interceptors"]


def test_the_example_of_ones_own_is_an_interceptor(tmp_path: Path) -> None:
    [source] = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    (tmp_path / "polite.py").write_text(source)
    entry = {"name": "polite", "config": {"word": "thanks"}}
    document = {"discovery": {"dirs": [str(tmp_path)]}, "interceptors": [entry, "endpoint"]}
    assert chain.links(load(document))[0].name == "polite"
