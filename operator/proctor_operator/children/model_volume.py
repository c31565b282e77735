"""Where a pod has the model's files: on a claim, or in a volume that it fills itself.

The init container that fills it alone holds the source's secret.
"""

from collections.abc import Mapping

from proctor_crds.common import HttpSource, LocalRef, S3Source, SecretKeyRef
from proctor_crds.model_deployment import HuggingFaceSource, ModelSource, ServedModel
from proctor_operator.children.pod import (
    SCRATCH_MOUNT,
    claim_volume,
    container,
    escaped,
    literals,
    within,
)
from proctor_operator.cluster import Manifest

MODEL = "model"
MOUNT: Manifest = {"name": MODEL, "mountPath": "/model"}
FETCH = "fetch"
AWS_KEYS = {"AWS_ACCESS_KEY_ID": False, "AWS_SECRET_ACCESS_KEY": False, "AWS_SESSION_TOKEN": True}
"""Keys of an S3 source's Secret, and whether they may be absent."""


def model_volume(source: ModelSource) -> Manifest:
    """The volume; an overlay may put a larger one in the place of the pod's own."""
    if source.pvc:
        return claim_volume(MODEL, source.pvc.claim_name, read_only=True)
    return {"name": MODEL, "emptyDir": {}}


def checkpoint(source: ModelSource) -> str:
    """The checkpoint's place in the pod."""
    kept = source.pvc or source.s3 or source.hf or source.http
    return within(MODEL, kept.path if kept else ".")


def fetching(model: ServedModel, image: str) -> list[Manifest]:
    """The init container that fills the volume; none for a claim."""
    source, wanted = model.source, {"checkpoint-format": model.format}
    if source.s3:
        return [fetch(image, s3_arguments(source.s3) | wanted, s3_secret(source.s3), MOUNT)]
    if source.http:
        token = source_token(source.http.secret_ref)
        return [fetch(image, http_arguments(source.http) | wanted, token, MOUNT)]
    if source.hf:
        token = source_token(source.hf.secret_ref)
        return [fetch(image, hf_arguments(source.hf) | wanted, token, MOUNT)]
    return []


def fetch(
    image: str,
    arguments: Mapping[str, str | None],
    secret: list[Manifest],
    mount: Manifest,
    scratch: Manifest = SCRATCH_MOUNT,
) -> Manifest:
    """The container that fills the volume that is mounted, with what it is told of the source.

    `scratch` is shared with the server in a ModelDeployment's pod: another volume there would roll
    out every deployment that an upgraded operator finds.
    """
    given = {name: escaped(value) for name, value in arguments.items() if value is not None}
    values = {**given, "to": within(mount["name"], ".")}
    return container(
        FETCH,
        image,
        ["python", "-m", "proctor_runtime", "fetch"],
        ports={},
        mounts=[mount],
        env=secret,
        scratch=scratch,
        args=[f"--{name}={value}" for name, value in values.items()],
        resources={"requests": {"cpu": "250m", "memory": "512Mi"}},
    )


def s3_arguments(source: S3Source) -> dict[str, str | None]:
    """What a bucket is to `fetch`."""
    return {"source": "s3", "location": source.uri, "endpoint": source.endpoint}


def http_arguments(source: HttpSource) -> dict[str, str | None]:
    """What a URL is to `fetch`."""
    return {"source": "http", "location": source.url, "sha256": source.sha256}


def hf_arguments(source: HuggingFaceSource) -> dict[str, str | None]:
    """What a repository is to `fetch`."""
    return {
        "source": "hf",
        "location": source.id,
        "revision": source.revision,
        "endpoint": source.endpoint,
    }


def s3_secret(source: S3Source) -> list[Manifest]:
    """Each key by its name: a Secret shall not set any other variable."""
    # A node's own role is not the model's: what a pod may read, its deployment says.
    region = {"AWS_DEFAULT_REGION": source.region} if source.region else {}
    fixed = literals({"AWS_EC2_METADATA_DISABLED": "true"} | region)
    reference: LocalRef | None = source.secret_ref
    if not reference:
        return fixed
    keys = [
        from_secret(name, {"name": reference.name, "key": name, "optional": optional})
        for name, optional in AWS_KEYS.items()
    ]
    return [*fixed, *keys]


def source_token(reference: SecretKeyRef | None) -> list[Manifest]:
    """The token of the other sources."""
    return [from_secret("SOURCE_TOKEN", reference.model_dump())] if reference else []


def from_secret(name: str, key: Manifest) -> Manifest:
    """A variable with the value of a Secret's key."""
    return {"name": name, "valueFrom": {"secretKeyRef": key}}
