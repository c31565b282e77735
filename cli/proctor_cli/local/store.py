"""The objects of a local cluster, in memory: what the apiserver and etcd are to a real one."""

import asyncio
import itertools
import logging
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Literal

from proctor_cli.local.admission import admit
from proctor_cli.local.apply import applied, without_nulls
from proctor_cli.local.objects import Change, Clock, deleting, matches, timestamp
from proctor_cli.local.preconditions import check
from proctor_cli.local.secret_data import encoded
from proctor_operator.cluster import ClusterError, Manifest, Ref

log = logging.getLogger(__name__)

_SERVER_FIELDS = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")

Watcher = Callable[[Change], None]


class Store:
    """Keeps objects, tells watchers of each change, and refuses what the apiserver refuses."""

    def __init__(self, now: Clock) -> None:
        self._now = now
        self._objects: dict[Ref, Manifest] = {}
        self._last_applied: dict[tuple[str, str], Any] = {}
        self._versions = itertools.count(1)
        self._watchers: list[Watcher] = []
        self._untold: deque[Change] = deque()
        self._change = asyncio.Event()

    def get(self, ref: Ref) -> Manifest | None:
        """A copy of the object."""
        return deepcopy(self._objects.get(ref))

    def find(
        self, api_version: str, kind: str, namespace: str, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        """Copies of one kind's objects that carry all `labels`, oldest first."""
        wanted = (api_version, kind, namespace)
        return [
            deepcopy(each)
            for ref, each in self._objects.items()
            if (ref.api_version, ref.kind, ref.namespace) == wanted
            and matches(each["metadata"].get("labels", {}), labels or {})
        ]

    def everything(self) -> list[Manifest]:
        """Copies of all objects."""
        return deepcopy(list(self._objects.values()))

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` at each change, until the function returned is called."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    async def next_change(self) -> None:
        """Wait until some object changes."""
        await self._change.wait()

    def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply of all but the status."""
        desired = _desired(manifest)
        admit(desired, None)
        desired = encoded(desired) if desired.get("kind") == "Secret" else desired
        ref = Ref.of(desired)
        live = self._objects.get(ref)
        check(manifest, live)
        if live is None:
            return self.create(desired)
        before = self._last_applied.get((live["metadata"]["uid"], "object"), {})
        new = applied(live, before, desired)
        admit(new, live)
        self._last_applied[live["metadata"]["uid"], "object"] = desired
        return self._replace(ref, live, new)

    def apply_status(self, manifest: Manifest) -> Manifest:
        """Server-side apply of the status alone."""
        ref = Ref.of(manifest)
        live = self._objects.get(ref)
        if live is None:
            raise ClusterError(f'{ref.kind} "{ref.name}" not found in namespace {ref.namespace}')
        check(manifest, live)
        key = (live["metadata"]["uid"], "status")
        desired = without_nulls(deepcopy(manifest.get("status", {})))
        status = applied(live.get("status", {}), self._last_applied.get(key, {}), desired)
        self._last_applied[key] = desired
        return self._replace(ref, live, {**live, "status": status})

    def create(self, manifest: Manifest) -> Manifest:
        """Add an object that is not there yet."""
        admit(manifest, None)
        new = deepcopy(manifest)
        new["metadata"] |= {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": timestamp(self._now()),
            "resourceVersion": str(next(self._versions)),
        } | ({"generation": 1} if "spec" in new else {})
        self._objects[Ref.of(new)] = new
        self._last_applied[new["metadata"]["uid"], "object"] = deepcopy(manifest)
        self._tell("ADDED", new)
        return deepcopy(new)

    def set_status(self, ref: Ref, status: Manifest) -> None:
        """Replace the status, as the object's own controller does."""
        live = self._objects.get(ref)
        if live is not None:
            self._replace(ref, live, {**live, "status": deepcopy(status)})

    def set_metadata(self, ref: Ref, **fields: Any) -> None:
        """Replace fields of the metadata; None removes one. May complete a deletion."""
        live = self._objects.get(ref)
        if live is not None:
            meta = without_nulls({**live["metadata"], **deepcopy(fields)})
            self._replace(ref, live, {**live, "metadata": meta})

    def delete(self, ref: Ref) -> None:
        """Begin to delete; only a pod or an object with finalizers outlives the call."""
        live = self._objects.get(ref)
        if live is None or deleting(live):
            return
        mark: dict[str, Any] = {"deletionTimestamp": timestamp(self._now())}
        if ref.kind == "Pod":
            grace = live["spec"].get("terminationGracePeriodSeconds", 30)
            mark["deletionGracePeriodSeconds"] = grace
        self.set_metadata(ref, **mark)

    def _replace(self, ref: Ref, live: Manifest, new: Manifest) -> Manifest:
        if new == live:
            return deepcopy(live)
        new = deepcopy(new)
        new["metadata"]["resourceVersion"] = str(next(self._versions))
        if "generation" in live["metadata"] and new.get("spec") != live.get("spec"):
            new["metadata"]["generation"] += 1
        if _gone(new):
            del self._objects[ref]
            self._forget(new["metadata"]["uid"])
            self._tell("DELETED", new)
        else:
            self._objects[ref] = new
            self._tell("MODIFIED", new)
        return deepcopy(new)

    def _forget(self, uid: str) -> None:
        for part in ("object", "status"):
            self._last_applied.pop((uid, part), None)

    def _tell(self, change: Literal["ADDED", "MODIFIED", "DELETED"], new: Manifest) -> None:
        """Tell all watchers of one change before any of the next, which one of them may make."""
        self._untold.append(Change(change, deepcopy(new)))
        if len(self._untold) > 1:
            return
        while self._untold:
            for watcher in tuple(self._watchers):
                try:
                    watcher(self._untold[0])
                except Exception:  # a watcher's fault is not that of who changed the object
                    log.exception("watcher of %s", self._untold[0].ref)
            self._untold.popleft()
        self._change.set()
        self._change = asyncio.Event()


def _desired(manifest: Manifest) -> Manifest:
    """What an applier may decide: not the status, and not what the server keeps."""
    desired: Manifest = without_nulls(deepcopy(manifest))
    desired.pop("status", None)
    desired["metadata"] = {
        key: value
        for key, value in desired.get("metadata", {}).items()
        if key not in (*_SERVER_FIELDS, "deletionTimestamp", "deletionGracePeriodSeconds")
    }
    return desired


def _gone(manifest: Manifest) -> bool:
    """Deletion is complete; a pod's only once its processes have ended (grace of zero)."""
    meta = manifest["metadata"]
    if not deleting(manifest) or meta.get("finalizers"):
        return False
    return bool(manifest["kind"] != "Pod" or meta.get("deletionGracePeriodSeconds") == 0)
