"""The mirror's pod and Service, and a judge that is a ModelDeployment."""

import shutil
from pathlib import Path

from tests.examples import Manifest, deployment
from tests.kube import Kubectl
from tests.runtime.harness.packages.hub import Repositories

NAME = "mirror"
CLAIM = "/claim"
"""Where the pod has the tests' claim."""
CODE = (
    "tests/e2e/mirror/answers.py",
    "tests/e2e/mirror/server.py",
    "tests/runtime/harness/model_server.py",
    "tests/runtime/harness/packages/hub.py",
    "tests/runtime/harness/packages/scripted_api.py",
)
JUDGE = Path("tests/local/stand_ins/judge.py")
START = """\
until [ -e /data/complete ]; do sleep 0.2; done
cd /data/stage && exec python -m tests.e2e.mirror.server /data/stage
"""


def url(kubectl: Kubectl) -> str:
    return f"http://{NAME}.{kubectl.namespace}.svc:8080"


def start(kubectl: Kubectl, repositories: Repositories, folder: Path) -> None:
    """The mirror with these repositories, staged in `folder`."""
    kubectl.apply(pod(), service())
    stage(repositories, folder / "stage")
    kubectl("wait", "--for=condition=PodReadyToStartContainers", f"pod/{NAME}", "--timeout=120s")
    kubectl("wait", "--for=jsonpath={.status.phase}=Running", f"pod/{NAME}", "--timeout=120s")
    kubectl("cp", str(folder / "stage"), f"{NAME}:/data/stage")
    kubectl("exec", NAME, "--", "touch", "/data/complete")
    kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=120s")


def release(kubectl: Kubectl) -> None:
    """Let the scripted model answer."""
    kubectl("exec", NAME, "--", "touch", "/data/stage/release")


def fetch(kubectl: Kubectl, path: str, folder: Path) -> Path:
    """A folder of the claim, copied."""
    kubectl("cp", f"{NAME}:{CLAIM}/{path}", str(folder))
    return folder


def stage(repositories: Repositories, folder: Path) -> None:
    """Code and data, as the pod has them."""
    for name in CODE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, folder / name)
    for repository, files in repositories.items():
        for name, content in files.items():
            path = folder / "hub" / repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def pod() -> Manifest:
    """The runtime's image has the web server; what it serves is copied into it."""
    container = {
        "name": NAME,
        "image": "proctor/runtime:0.1.0",
        "command": ["sh", "-c", START],
        # With none it gets what all others leave, and they wait for its answers.
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "claim", "mountPath": CLAIM, "readOnly": True},
        ],
    }
    volumes = [
        {"name": "data", "emptyDir": {}},
        {"name": "claim", "persistentVolumeClaim": {"claimName": "arithmetic"}},
    ]
    user = {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532}
    spec = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": user,
        "containers": [container],
        "volumes": volumes,
    }
    metadata = {"name": NAME, "labels": {"app": NAME}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def service() -> Manifest:
    spec = {"selector": {"app": NAME}, "ports": [{"port": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME}, "spec": spec}


def judge() -> list[Manifest]:
    """A deployment whose server is `JUDGE`, by the overlay that every deployment has."""
    files = {"judge.py": JUDGE.read_text(), "ready": ""}
    code = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "judge"}, "data": files}
    server = {
        "name": "server",
        "command": ["python", "/judge/judge.py"],
        "args": [],
        "env": [{"name": "MOUNT_MODEL", "value": "/judge"}],
        "volumeMounts": [{"name": "judge", "mountPath": "/judge"}],
        # A script wants less than a model, and the node has little.
        "resources": {"requests": {"cpu": "50m"}},
    }
    volumes = [{"name": "judge", "configMap": {"name": "judge"}}]
    # It does not know SIGTERM.
    overlay = {"terminationGracePeriodSeconds": 1, "containers": [server], "volumes": volumes}
    return [code, deployment("judge", pod=overlay)]
