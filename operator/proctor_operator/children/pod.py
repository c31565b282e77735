"""What every pod has in common: hardening, writable scratch, and the address convention.

A process finds its surroundings in variables that a cluster may override: `PORT_<NAME>` for each
container port, `MOUNT_<NAME>` for each volume mount, `BIND_ADDRESS`, `TERMINATION_MESSAGE_PATH`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from proctor_operator.cluster import Manifest

USER = 65532
TERMINATION_MESSAGE_PATH = "/dev/termination-log"

POD_SECURITY: Manifest = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
SCRATCH = "scratch"
SCRATCH_VOLUME: Manifest = {"name": SCRATCH, "emptyDir": {}}
# At /tmp, which Triton writes to whatever TMPDIR says.
SCRATCH_MOUNT: Manifest = {"name": SCRATCH, "mountPath": "/tmp"}  # noqa: S108
OWN_SCRATCH = f"-{SCRATCH}"
"""Ends the name of a volume that one container has to itself."""


def variable(prefix: str, name: str) -> str:
    """`PORT_TRITON_HTTP` of `PORT` and `triton-http`."""
    return f"{prefix}_{name.upper().replace('-', '_')}"


def container(  # noqa: PLR0913  each is a field of the container
    name: str,
    image: str,
    command: Sequence[str],
    *,
    ports: Mapping[str, int],
    mounts: Sequence[Manifest],
    env: Sequence[Manifest] = (),
    peer_ports: Mapping[str, int] | None = None,
    scratch: Manifest = SCRATCH_MOUNT,
    **fields: Any,
) -> Manifest:
    """A hardened container that is told every address through its environment.

    `env` comes after the addresses, so it may refer to them as `$(PORT_HTTP)`. `scratch` is where
    it may write and where its home is, a volume that containers share which have none of their own.
    """
    mounts = [scratch, *mounts]
    result: Manifest = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "env": [*addresses({**ports, **(peer_ports or {})}, mounts), *env],
        "volumeMounts": mounts,
        "terminationMessagePath": TERMINATION_MESSAGE_PATH,
        "securityContext": CONTAINER_SECURITY,
        **fields,
    }
    if ports:
        result["ports"] = [{"name": n, "containerPort": port} for n, port in ports.items()]
    return result


def own_scratch(container: str) -> Manifest:
    """Mounts scratch that no other container sees, for one that holds what others may not have.

    In a home that they can write to they could leave what Python or a library loads from there.
    """
    return SCRATCH_MOUNT | {"name": f"{container}{OWN_SCRATCH}"}


def scratch_volumes(containers: Sequence[Manifest]) -> list[Manifest]:
    """The shared volume, and those of `own_scratch` that are mounted."""
    mounted = {mount["name"] for each in containers for mount in each["volumeMounts"]}
    own = sorted(name for name in mounted if name.endswith(OWN_SCRATCH))
    return [SCRATCH_VOLUME, *({"name": name, "emptyDir": {}} for name in own)]


def addresses(ports: Mapping[str, int], mounts: Sequence[Manifest]) -> list[Manifest]:
    """The variables of the address convention; the first mount is the home."""
    fixed = {"BIND_ADDRESS": "0.0.0.0", "TERMINATION_MESSAGE_PATH": TERMINATION_MESSAGE_PATH}  # noqa: S104  a pod's own network
    by_port = {variable("PORT", name): str(port) for name, port in ports.items()}
    by_mount = {variable("MOUNT", mount["name"]): mount["mountPath"] for mount in mounts}
    home = variable("MOUNT", mounts[0]["name"])
    return literals(fixed | by_port | by_mount | {"HOME": f"$({home})", "TMPDIR": f"$({home})"})


def literals(values: Mapping[str, str]) -> list[Manifest]:
    """Environment variables with plain values."""
    return [{"name": name, "value": value} for name, value in values.items()]


def escaped(value: str) -> str:
    """`value` as data: the kubelet shall not expand what looks like `$(VAR)` in it."""
    return value.replace("$", "$$")


def pod_spec(
    containers: Sequence[Manifest], volumes: Sequence[Manifest], **fields: Any
) -> Manifest:
    """A pod without a token, without service variables, and without rights."""
    scratch = scratch_volumes([*fields.get("initContainers", []), *containers])
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY,
        "containers": list(containers),
        "volumes": [*scratch, *volumes],
        **fields,
    }


def claim_volume(name: str, claim: str, *, read_only: bool) -> Manifest:
    """A volume of a PersistentVolumeClaim."""
    source = {"claimName": claim} | ({"readOnly": True} if read_only else {})
    return {"name": name, "persistentVolumeClaim": source}


def within(mount: str, path: str) -> str:
    """An argument that names `path` inside the mount called `mount`."""
    root = f"$({variable('MOUNT', mount)})"
    return root if path.strip("/") in ("", ".") else f"{root}/{escaped(path.strip('/'))}"
