"""A pod's volumes, as directories of this machine."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from proctor_cli.local.objects import Change
from proctor_cli.local.ports import variable_part
from proctor_cli.local.store import Store
from proctor_cli.local.variables import ConfigError, Lookup, read
from proctor_operator.cluster import Manifest, Ref


class Claims:
    """PersistentVolumeClaims: the user's own directories, or new ones below `root`.

    Also their controller: a claim is Bound as soon as it exists, and its directory goes with it.
    """

    def __init__(self, store: Store, root: Path, given: Mapping[str, Path]) -> None:
        self._store = store
        self._root = root
        self._given = given

    def problem(self, pod: Manifest) -> str | None:
        """The scheduler's complaint about a claim of `pod` that nobody made."""
        for name in _claim_names(pod):
            if not self._exists(pod["metadata"]["namespace"], name):
                known = ", ".join(sorted(self._given)) or "none"
                return f'persistentvolumeclaim "{name}" not found (directories given: {known})'
        return None

    def directory(self, namespace: str, name: str) -> Path:
        """Where the claim's files are."""
        return self._given.get(name) or self._root / namespace / name

    def on_change(self, change: Change) -> None:
        """Bind what is new; remove the directory of what is deleted, unless it is the user's."""
        claim = change.object
        if claim["kind"] != "PersistentVolumeClaim":
            return
        namespace, name = claim["metadata"]["namespace"], claim["metadata"]["name"]
        if change.type == "ADDED":
            self.directory(namespace, name).mkdir(parents=True, exist_ok=True)
            self._store.set_status(change.ref, _bound(claim["spec"]))
        elif change.type == "DELETED" and name not in self._given:
            shutil.rmtree(self.directory(namespace, name), ignore_errors=True)

    def _exists(self, namespace: str, name: str) -> bool:
        ref = Ref("v1", "PersistentVolumeClaim", namespace, name)
        return name in self._given or self._store.get(ref) is not None


class PodVolumes:
    """The directory of each volume of one pod, below `root` unless it is a claim's."""

    def __init__(self, pod: Manifest, root: Path, claims: Claims) -> None:
        self._pod = pod
        self._root = root
        self._claims = claims

    def prepare(self, lookup: Lookup) -> None:
        """Make every directory; raises `ConfigError` while a source is missing."""
        for volume in self._pod["spec"].get("volumes", []):
            directory = self._directory(volume)
            directory.mkdir(parents=True, exist_ok=True)
            if "secret" in volume or "configMap" in volume:
                _write(directory, self._pod, volume, lookup)

    def variables(self, container: Manifest) -> dict[str, str]:
        """`MOUNT_<NAME>` for every volume that the container mounts."""
        mounts = reversed(container.get("volumeMounts", []))  # of two mounts the first counts
        return {f"MOUNT_{variable_part(each['name'])}": str(self._mounted(each)) for each in mounts}

    def inside(self, container: Manifest, path: str) -> Path | None:
        """Where a path of the container's file system is, if it lies on a volume."""
        for mount in container.get("volumeMounts", []):
            below = Path(path)
            if below.is_relative_to(mount["mountPath"]):
                return self._mounted(mount) / below.relative_to(mount["mountPath"])
        return None

    def _mounted(self, mount: Manifest) -> Path:
        volume = next(
            each for each in self._pod["spec"]["volumes"] if each["name"] == mount["name"]
        )
        directory = self._directory(volume) / str(mount.get("subPath", ""))
        if not mount.get("readOnly"):  # the kubelet makes a subPath that is not there
            directory.mkdir(parents=True, exist_ok=True)
        return directory

    def _directory(self, volume: Manifest) -> Path:
        if claim := volume.get("persistentVolumeClaim"):
            return self._claims.directory(self._pod["metadata"]["namespace"], claim["claimName"])
        if not {"emptyDir", "secret", "configMap"} & volume.keys():
            kind = ", ".join(sorted(volume.keys() - {"name"}))
            raise ConfigError(f'volume "{volume["name"]}": no {kind} on the local cluster')
        return self._root / str(volume["name"])


def _claim_names(pod: Manifest) -> list[str]:
    volumes = pod["spec"].get("volumes", [])
    claims = [each["persistentVolumeClaim"] for each in volumes if "persistentVolumeClaim" in each]
    return [claim["claimName"] for claim in claims]


def _bound(spec: Manifest) -> Manifest:
    capacity = spec.get("resources", {}).get("requests", {})
    return {"phase": "Bound", "accessModes": spec.get("accessModes", []), "capacity": capacity}


def _write(directory: Path, pod: Manifest, volume: Manifest, lookup: Lookup) -> None:
    """Each key of the volume's Secret or ConfigMap as a file that only we can read."""
    kind, source = (
        ("Secret", volume["secret"]) if "secret" in volume else ("ConfigMap", volume["configMap"])
    )
    name = source["secretName"] if kind == "Secret" else source["name"]
    values = read(kind, name, pod, lookup, optional=source.get("optional", False))
    items = source.get("items") or [{"key": key, "path": key} for key in values]
    for item in items:
        if item["key"] not in values:
            raise ConfigError(f"references non-existent config key: {item['key']} of {kind} {name}")
        file = directory / item["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(values[item["key"]])
