"""How an evaluation's files get to a bucket: fetched before it, kept while it runs.

The two containers alone hold the bucket's credentials.
"""

from proctor_crds.common import S3Source
from proctor_crds.evaluation_run import Evaluation, EvaluationRunSpec
from proctor_crds.wire import EXIT_REJECTED
from proctor_operator.children.model_volume import s3_secret
from proctor_operator.children.naming import below
from proctor_operator.children.pod import container, escaped, own_scratch, within
from proctor_operator.cluster import Manifest
from proctor_operator.resource import Resource

Run = Resource[EvaluationRunSpec]

RESUME = "resume"
KEEP = "keep"
KEEP_PORTS = {"artifacts": 9300}
STORE_URL = {"STORE_URL": "http://127.0.0.1:$(PORT_ARTIFACTS)"}
GRACE_SECONDS = 60
"""Time to store what a pod that must leave wrote last."""
REFUSED: Manifest = {
    "action": "FailJob",
    "onExitCodes": {"containerName": RESUME, "operator": "In", "values": [EXIT_REJECTED]},
}
"""What the Job does where the bucket refuses: another pod would be refused as well."""


def bucket(spec: EvaluationRunSpec) -> S3Source | None:
    """The bucket, where the run's artifacts go to one."""
    return spec.artifacts.s3 if spec.artifacts else None


def keeping(
    owner: Run, evaluation: Evaluation, image: str, mount: Manifest, index: list[Manifest]
) -> list[Manifest]:
    """The init container, and the sidecar that starts before all others, to end after them.

    `index` has the variable of a pod that asks a share of the questions: it keeps nothing but its
    own.
    """
    source = bucket(owner.spec)
    if not source:
        return []
    # Other namespaces and clusters may use the bucket, and have runs of this name.
    folder = f"{owner.name}/{owner.uid}/{evaluation.name}"
    share = "/shards/$(SHARD_INDEX)" if index else ""
    location = f"{source.uri.rstrip('/')}/{below(source.path, folder)}"
    given = {
        "location": f"{escaped(location)}{share}",
        **({"endpoint": escaped(source.endpoint)} if source.endpoint else {}),
        "folder": f"{within(mount['name'], '.')}{share}",
    }
    common: Manifest = {
        "env": [*s3_secret(source), *index],
        "args": [f"--{name}={value}" for name, value in given.items()],
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
    }
    return [
        container(
            RESUME,
            image,
            command(RESUME),
            ports={},
            mounts=[mount],
            scratch=own_scratch(RESUME),
            **common,
        ),
        container(
            KEEP,
            image,
            command(KEEP),
            ports=KEEP_PORTS,
            mounts=[mount | {"readOnly": True}],
            scratch=own_scratch(KEEP),
            restartPolicy="Always",
            **common,
        ),
    ]


def command(name: str) -> list[str]:
    """Of the runtime's image."""
    return ["python", "-m", "proctor_runtime", name]
