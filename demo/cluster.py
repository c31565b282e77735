"""`make cluster-demo`: the main job on a real Kubernetes, from images and chart to scores.

Each step may be repeated: what is there already is left as it is.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.provider import binary, cluster
from tests.provider import images as image_builder
from tests.provider.paths import node_state
from tests.provider.store import image_id

VERSION = "0.1.0"
EXAMPLES = Path("examples/arithmetic")
MODEL = Path("demo/arithmetic")
SYSTEM = "proctor-system"
CLAIM = "arithmetic"


def images(*names: str) -> dict[str, str]:
    """Of folders of `images`, the names that the chart has for them."""
    return {name: f"proctor/{name}:{VERSION}" for name in names}


IMAGES = images("operator", "runtime", "harness-lm-eval")


@dataclass(frozen=True)
class Tools:
    """kubectl and helm on one cluster; raises CalledProcessError where they fail."""

    kubeconfig: Path
    namespace: str = "default"

    def kubectl(self, *arguments: str, stdin: str | None = None, quiet: bool = False) -> str:
        """Run kubectl in the namespace; returns what it printed."""
        command = (str(binary("kubectl")), "--namespace", self.namespace)
        return self._run(*command, *arguments, stdin=stdin, quiet=quiet)

    def helm(self, *arguments: str) -> str:
        """Run helm."""
        return self._run(str(binary("helm")), *arguments)

    def _run(self, *command: str, stdin: str | None = None, quiet: bool = False) -> str:
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        done = subprocess.run(  # noqa: S603  the tools that we built
            command, env=environment, input=stdin, stdout=subprocess.PIPE, text=True, check=True
        )
        if not quiet:
            print(done.stdout, end="", flush=True)
        return done.stdout


def main() -> None:
    """Everything, then what `kubectl get` says."""
    tools = Tools(cluster.up())
    build_images()
    install(tools)
    fill_claim(tools)
    evaluate(tools)


def build_images(wanted: Mapping[str, str] = IMAGES) -> None:
    """Build and load them; a given cluster must have them, for its registry is its own."""
    if cluster.source() is cluster.Source.GIVEN:
        return
    for name, image in wanted.items():
        image_builder.build(image, Path(f"images/{name}/Dockerfile"), Path())
        cluster.load_image(image)


def install(tools: Tools) -> None:
    """The operator, by its chart; a rebuilt image makes a new pod."""
    built = image_id(IMAGES["operator"]) or "given"
    tools.helm(
        *("upgrade", "--install", "proctor", "charts/proctor"),
        *("--namespace", SYSTEM, "--create-namespace", "--wait", "--timeout", "3m"),
        *("--set-string", f"pod.annotations.image={built}"),
    )


def fill_claim(tools: Tools, folder: Path = MODEL) -> None:
    """What is in `folder` onto the example's claim, through a pod that mounts it."""
    if not default_storage(tools):
        tools.kubectl("apply", "-f", "-", stdin=host_volume(tools.namespace))
    tools.kubectl("apply", "-f", str(EXAMPLES / "volume.yaml"), "-f", "demo/loader.yaml")
    tools.kubectl("wait", "--for=condition=Ready", "pod/loader", "--timeout=120s")
    names = sorted(path.name for path in folder.iterdir())
    archive = subprocess.run(  # noqa: S603  a fixed command
        ["tar", "-C", str(folder), "-cf", "-", *names],  # noqa: S607  tar is everywhere
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    unpack = ("exec", "-i", "loader", "--", "tar", "-C", "/data", "-xf", "-")
    subprocess.run(  # noqa: S603  the kubectl that we built
        [str(binary("kubectl")), "--namespace", tools.namespace, *unpack],
        env={**os.environ, "KUBECONFIG": str(tools.kubeconfig)},
        input=archive,
        check=True,
    )
    tools.kubectl("delete", "pod", "loader", "--grace-period=1")


def default_storage(tools: Tools) -> bool:
    """Whether the cluster makes volumes by itself."""
    return "(default)" in tools.kubectl("get", "storageclass", quiet=True)


def host_volume(namespace: str) -> str:
    """A volume for the namespace's claim, in a folder of this machine that is the node's too."""
    folder = host_folder(namespace)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)  # pods write as another user
    return f"""
apiVersion: v1
kind: PersistentVolume
metadata: {{name: {folder.name}}}
spec:
  capacity: {{storage: 64Mi}}
  accessModes: [ReadWriteOnce]
  claimRef: {{namespace: {namespace}, name: {CLAIM}}}
  hostPath: {{path: {folder}}}
"""


def host_folder(namespace: str) -> Path:
    """Where the claim of that namespace has its files, on a node of this machine."""
    return node_state() / "volumes" / f"{namespace}-{CLAIM}"


def evaluate(tools: Tools) -> None:
    """Apply the example as a user does, wait for its scores, and show them."""
    for name in ("modeldeployment", "evaluationrun"):
        tools.kubectl("apply", "-f", str(EXAMPLES / f"{name}.yaml"))
    tools.kubectl("wait", "--for=condition=Ready", "modeldeployment/arithmetic", "--timeout=10m")
    tools.kubectl("wait", "--for=condition=Succeeded", "evaluationrun/arithmetic", "--timeout=10m")
    tools.kubectl("get", "modeldeployments,evaluationruns")
    tools.kubectl("get", "evaluationrun/arithmetic", "-o", "yaml")


if __name__ == "__main__":
    main()
