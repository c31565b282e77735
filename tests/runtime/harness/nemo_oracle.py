"""What NeMo Evaluator itself does. Run by its own interpreter; reads and writes JSON.

``{"configs": [run configuration, ...]}`` gives the chains that it makes of them;
``{"url", "directory", "config", "requests": [body, ...]}`` gives the answers of its adapter.
"""

import json
import sys
from typing import Any

import yaml
from nemo_evaluator.adapters.adapter_config import AdapterConfig
from nemo_evaluator.adapters.server import AdapterServer


def chains(texts: list[str]) -> list[Any]:
    found = []
    for text in texts:
        try:
            found.append(AdapterConfig.get_validated_config(yaml.safe_load(text)).model_dump())
        except Exception as error:
            found.append({"refused": str(error)})
    return found


def answers(job: dict[str, Any]) -> list[Any]:
    endpoint = {"adapter_config": job["config"]}
    run = {"target": {"api_endpoint": endpoint}, "config": {"output_dir": job["directory"]}}
    server = AdapterServer(job["url"], job["directory"], AdapterConfig.get_validated_config(run))
    client = server.app.test_client()
    found = [client.post("/", json=body, headers=job["headers"]) for body in job["requests"]]
    server.run_post_eval_hooks()
    return [[answer.status_code, answer.get_json(silent=True)] for answer in found]


if __name__ == "__main__":
    given = json.load(sys.stdin)
    sys.stdout = sys.stderr  # which it logs to
    said = chains(given["configs"]) if "configs" in given else [answers(j) for j in given["jobs"]]
    sys.__stdout__.write(json.dumps(said))
