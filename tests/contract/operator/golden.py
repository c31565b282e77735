"""The golden cases: a resource, and the children that it shall have, whole."""

from pathlib import Path
from typing import Any

import yaml

from proctor_crds.kinds import KINDS
from proctor_operator.children import evaluation_job, serving
from proctor_operator.children.upstream import Upstream
from proctor_operator.cluster import Manifest
from proctor_operator.resource import Resource, parsed, unparsed
from proctor_operator.settings import Settings

CASES = sorted(path.parent for path in (Path(__file__).parents[2] / "golden").glob("*/cr.yaml"))
SETTINGS = Settings(
    runtime_image="proctor/runtime:test",
    harness_images={
        name: f"proctor/harness-{name}:test" for name in ("lm-eval", "bigcode", "container")
    },
)


def children(case: Path) -> list[Manifest]:
    """The children of a case's resource, as the code makes them now."""
    found = unparsed(yaml.safe_load((case / "cr.yaml").read_text()))
    owner = parsed(found, KINDS[found.kind])
    return serving.children(owner, SETTINGS) if found.kind == "ModelDeployment" else jobs(owner)


def jobs(owner: Resource[Any]) -> list[Manifest]:
    """The Jobs of a run whose target is an endpoint."""
    end = owner.spec.target.endpoint
    upstream = Upstream(end.url.rstrip("/"), end.model, api_key=end.api_key_secret_ref)
    return [evaluation_job.job(owner, e, upstream, SETTINGS) for e in owner.spec.evaluations]


class Plain(yaml.SafeDumper):
    """YAML without anchors: a reader should not have to look up what is shared."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the base class asks for it
        """Nothing is an alias."""
        return True


def text(manifests: list[Manifest]) -> str:
    """The manifests as one file."""
    return yaml.dump_all(manifests, Dumper=Plain, sort_keys=False, width=100)
