"""Where an evaluation has its tasks' files: on a claim, or in a volume that its pod fills."""

from proctor_crds.evaluation_run import Datasets
from proctor_operator.children.model_volume import (
    FETCH,
    fetch,
    http_arguments,
    s3_arguments,
    s3_secret,
    source_token,
)
from proctor_operator.children.naming import below
from proctor_operator.children.pod import claim_volume, own_scratch
from proctor_operator.cluster import Manifest

DATASETS = "datasets"
MOUNT: Manifest = {"name": DATASETS, "mountPath": "/datasets"}


def volumes(datasets: Datasets | None, written: str | None) -> list[Manifest]:
    """The volume of the files, where there are any; `written` is a claim that the pod writes to.

    The kubelet attaches a claim to a pod once, and for all its volumes to read only if one says so.
    """
    if datasets and datasets.pvc:
        name = datasets.pvc.claim_name
        return [claim_volume(DATASETS, name, read_only=name != written)]
    if datasets and (datasets.s3 or datasets.http):
        return [{"name": DATASETS, "emptyDir": {}}]
    return []


def mounts(datasets: Datasets | None) -> list[Manifest]:
    """How the harness sees them: the path that the source names, and to read only."""
    source = datasets and (datasets.pvc or datasets.s3 or datasets.http)
    if not source:
        return []
    path = below(source.path, "")
    return [MOUNT | {"readOnly": True} | ({"subPath": path} if path else {})]


def fetching(datasets: Datasets | None, image: str) -> list[Manifest]:
    """The init container that fills the volume and alone holds the source's secret."""
    scratch = own_scratch(FETCH)
    if datasets and datasets.s3:
        return [fetch(image, s3_arguments(datasets.s3), s3_secret(datasets.s3), MOUNT, scratch)]
    if datasets and datasets.http:
        token = source_token(datasets.http.secret_ref)
        return [fetch(image, http_arguments(datasets.http), token, MOUNT, scratch)]
    return []
