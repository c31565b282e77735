"""The real Kueue, as its own kustomization deploys it, its webhooks for one namespace's Jobs."""

import base64
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.kube import Kubectl, Manifest, RefusedError, eventually
from tests.provider import cluster, images
from tests.provider.binaries import MODULE_OF, binary, manifests
from tests.provider.paths import HERE
from tests.provider.pki import Certificate, issue

SYSTEM = "kueue-system"
OPT_IN = "proctor.test/kueue"
"""Kueue's webhooks are asked for the Jobs of namespaces with this label alone."""
OWN_HOOKS = {"batch", "kueue.x-k8s.io"}
CONFIGURATION = """
apiVersion: config.kueue.x-k8s.io/v1beta2
kind: Configuration
health: {healthProbeBindAddress: ":8081"}
metrics: {bindAddress: ":8443"}
webhook: {port: 9443}
internalCertManagement: {enable: false}
integrations: {frameworks: [batch/job]}
featureGates: {VisibilityOnDemand: false}
"""


@contextmanager
def installed(kubectl: Kubectl) -> Iterator[None]:
    """Kueue runs in the cluster, for the Jobs of kubectl's namespace."""
    kubectl("label", "namespace", kubectl.namespace, f"{OPT_IN}=true")
    with tempfile.TemporaryDirectory() as scratch:
        objects = deployed(image(), certificates(Path(scratch) / "pki"))
    system = Kubectl(kubectl.binary, kubectl.kubeconfig, SYSTEM)
    try:
        system("apply", "--server-side", "-f", "-", stdin=listed(objects))
        system("rollout", "status", "deployment/kueue-controller-manager", "--timeout=280s")
        yield
    finally:
        remove(kubectl, system, objects)


def remove(kubectl: Kubectl, system: Kubectl, objects: list[Manifest]) -> None:
    """First what Kueue must let go of itself; the namespace's Jobs are then no matter of its."""
    kubectl("label", "namespace", kubectl.namespace, f"{OPT_IN}-")
    kubectl("delete", "localqueues,workloads", "--all", "--ignore-not-found", "--timeout=60s")
    kubectl("delete", "clusterqueues,resourceflavors", "--all", "--timeout=60s")
    system("delete", "-f", "-", "--ignore-not-found", "--wait=false", stdin=listed(objects))


def listed(objects: list[Manifest]) -> str:
    """For kubectl, as JSON: YAML of so large CRDs takes long to write."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def image() -> str:
    """The controller's image, on the cluster."""
    name = f"proctor/kueue:{MODULE_OF['kueue'].version}"
    with tempfile.TemporaryDirectory() as context:
        shutil.copy(binary("kueue"), context)
        dockerfile = HERE / "system_image_files" / "kueue.Dockerfile"
        images.build(name, dockerfile, Path(context))
    cluster.load_image(name)
    return name


def certificates(folder: Path) -> dict[str, str]:
    """`ca.crt`, `tls.crt` and `tls.key` of the webhooks' Service, in base64."""
    host = f"kueue-webhook-service.{SYSTEM}.svc"
    issue(folder, [Certificate("tls", f"/CN={host}", f"DNS:{host}")])
    files = ("ca.crt", "tls.crt", "tls.key")
    return {name: base64.b64encode((folder / name).read_bytes()).decode() for name in files}


def deployed(image: str, keys: dict[str, str]) -> list[Manifest]:
    """Kueue's own manifests, for this cluster; those that it is reached by come last."""
    found = [changed(each, image, keys) for each in kustomization() if not of_visibility(each)]
    return sorted(found, key=lambda each: each["kind"].endswith("WebhookConfiguration"))


def of_visibility(found: Manifest) -> bool:
    """Whether it is of the API that shows a queue's order, which nobody serves here."""
    return found["kind"] == "APIService" or found["metadata"].get("namespace") == "kube-system"


def kustomization() -> list[Manifest]:
    """What `kubectl kustomize` makes of the folder that came with the program."""
    kubectl = Kubectl(binary("kubectl"), Path("/dev/null"))
    words = kubectl("kustomize", str(manifests("kueue") / "default"))
    return list(yaml.load_all(words, yaml.CSafeLoader))


def changed(found: Manifest, image: str, keys: dict[str, str]) -> Manifest:
    """One object, changed where this cluster is not the one that it was written for."""
    match found["kind"]:
        case "CustomResourceDefinition":
            # One version is written and read: there is nothing to convert.
            return found | {"spec": found["spec"] | {"conversion": {"strategy": "None"}}}
        case "Secret":
            return found | {"data": keys}
        case "ConfigMap":
            return found | {"data": {"controller_manager_config.yaml": CONFIGURATION}}
        case "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration":
            hooks = [hook(each, keys["ca.crt"]) for each in found["webhooks"] if is_own(each)]
            return found | {"webhooks": hooks}
        case "Deployment":
            return controller(found, image)
    return found


def is_own(hook: Manifest) -> bool:
    """Whether the webhook is for Kueue's own objects or for Jobs."""
    return {group for rule in hook["rules"] for group in rule["apiGroups"]} <= OWN_HOOKS


def hook(found: Manifest, authority: str) -> Manifest:
    """A webhook with its authority; the Jobs of other namespaces are no matter of ours."""
    client = found["clientConfig"] | {"caBundle": authority}
    jobs = any("jobs" in rule["resources"] for rule in found["rules"])
    chosen = {"namespaceSelector": {"matchLabels": {OPT_IN: "true"}}} if jobs else {}
    return found | {"clientConfig": client} | chosen


def controller(deployment: Manifest, image: str) -> Manifest:
    """The Deployment with the image that was built here, and modest wants."""
    pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    requests = {"requests": {"cpu": "50m", "memory": "64Mi"}}
    mounts = [
        *container["volumeMounts"],
        {"name": "cert", "mountPath": "/etc/kueue/metrics/certs", "readOnly": True},
    ]
    container |= {"image": image, "imagePullPolicy": "IfNotPresent", "resources": requests}
    container |= {"volumeMounts": mounts, "readinessProbe": container["readinessProbe"] | QUICK}
    return deployment


QUICK = {"initialDelaySeconds": 0, "periodSeconds": 1, "timeoutSeconds": 10}


def queue(kubectl: Kubectl, cpu: str) -> None:
    """A flavor, a ClusterQueue with so much CPU, and the LocalQueue `team` of the namespace."""
    flavor = {"name": "any", "resources": [quota("cpu", cpu), quota("memory", "64Gi")]}
    version = "kueue.x-k8s.io/v1beta2"
    objects: list[Manifest] = [
        {"apiVersion": version, "kind": "ResourceFlavor", "metadata": {"name": "any"}},
        {
            "apiVersion": version,
            "kind": "ClusterQueue",
            "metadata": {"name": "team"},
            "spec": {
                "namespaceSelector": {},
                "resourceGroups": [
                    {"coveredResources": ["cpu", "memory"], "flavors": [flavor]},
                ],
            },
        },
        {
            "apiVersion": version,
            "kind": "LocalQueue",
            "metadata": {"name": "team"},
            "spec": {"clusterQueue": "team"},
        },
    ]
    eventually(partial(accepted, partial(kubectl.apply, *objects)))


def accepted(change: Callable[[], object]) -> bool:
    """Whether the cluster took it; the way to a webhook is laid a moment after it is ready."""
    try:
        change()
    except RefusedError as error:
        if "failed to call webhook" not in str(error):
            raise
        return False
    return True


def quota(resource: str, amount: str) -> Manifest:
    """So much of a resource."""
    return {"name": resource, "nominalQuota": amount}


def stop(kubectl: Kubectl, policy: str) -> None:
    """`None` admits, `Hold` admits nothing more, `HoldAndDrain` also stops what runs."""
    patch = {"spec": {"stopPolicy": policy}}
    command = ("patch", "clusterqueue", "team", "--type=merge", "-p", json.dumps(patch))
    eventually(partial(accepted, partial(kubectl, *command)))
