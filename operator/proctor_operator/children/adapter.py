"""The adapter, a native sidecar between a harness and the API that it asks (docs/adapter.md)."""

import json
from typing import Any

from proctor_crds.evaluation_run import Evaluation
from proctor_crds.wire import LEFT_TO_THE_ADAPTER
from proctor_operator.children.artifacts import Run
from proctor_operator.children.naming import below, digest
from proctor_operator.children.pod import container, escaped, literals, own_scratch
from proctor_operator.children.upstream import Upstream
from proctor_operator.cluster import Manifest

ADAPTER = "adapter"
JUDGE = "judge"
ADAPTER_PORTS = {"adapter": 9100}
JUDGE_PORTS = {"judge": 9101}
MARGIN_SECONDS = 5
"""So much longer the adapter waits than a harness that gives up by itself, whose clock may round
up: what is told of a question that was given up then names `requestTimeoutSeconds`."""


def sidecar(
    name: str, image: str, ports: dict[str, int], mount: Manifest, env: list[Manifest]
) -> Manifest:
    """An adapter, whose one port has its name."""
    return container(
        name,
        image,
        ["python", "-m", "proctor_harness.adapter"],
        ports=ports,
        mounts=[mount],
        env=env,
        scratch=own_scratch(name),
        restartPolicy="Always",
        startupProbe={
            "httpGet": {"path": "/healthz", "port": name},
            "periodSeconds": 1,
            "failureThreshold": 120,
        },
        resources={"requests": {"cpu": "50m", "memory": "128Mi"}},
    )


def environment(owner: Run, upstream: Upstream, config: dict[str, Any] | None) -> list[Manifest]:
    """What the adapter's settings.py reads (docs/adapter.md)."""
    told = {"UPSTREAM_URL": upstream.url, "MODEL_IDENTITY": model_identity(owner, upstream)}
    if config is not None:
        told["ADAPTER_CONFIG"] = json.dumps(config, sort_keys=True)
    env = literals({name: escaped(value) for name, value in told.items()})
    session = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.uid"}}
    env.append({"name": "SESSION", "valueFrom": session})
    if upstream.api_key:
        key = {"secretKeyRef": upstream.api_key.model_dump()}
        env.append({"name": "API_KEY", "valueFrom": key})
    return env


def patience(evaluation: Evaluation) -> dict[str, str]:
    """How long the adapter waits for one answer of the target, and how often it asks again.

    A harness that does both by itself would multiply the retries, and has the first word.
    """
    params = evaluation.params
    seconds, retries = params.request_timeout_seconds, params.max_retries
    if evaluation.harness in LEFT_TO_THE_ADAPTER:
        return {"UPSTREAM_TIMEOUT_SECONDS": str(seconds), "MAX_RETRIES": str(retries)}
    return {"UPSTREAM_TIMEOUT_SECONDS": str(seconds + MARGIN_SECONDS)}


def model_identity(owner: Run, upstream: Upstream) -> str:
    """Whose answers stored ones are: this run's, of this target.

    A pod that replaces another has the same, and resumes; a run that is applied anew asks anew, and
    so does one whose deployment was made anew. What is asked is no part of it: of a run that was
    changed, the questions that stayed the same keep their answers.
    """
    target = [upstream.url, upstream.model, upstream.identity, upstream.uid]
    return digest([owner.uid, target])


def judging(owner: Run, judge: Upstream, image: str, mount: Manifest) -> Manifest:
    """The judge's own adapter, whose answers are kept apart from the target's."""
    mount = mount | {"subPath": below(mount.get("subPath", ""), JUDGE)}
    env = [*literals({"PORT_VARIABLE": "PORT_JUDGE"}), *environment(owner, judge, None)]
    return sidecar(JUDGE, image, JUDGE_PORTS, mount, env)
