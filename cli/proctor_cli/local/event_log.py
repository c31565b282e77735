"""Events, as objects of the cluster like any other."""

from proctor_cli.local.objects import Clock, digest, timestamp, without_zeros
from proctor_cli.local.store import Store
from proctor_operator.cluster import Event, Manifest, Ref


class EventLog:
    """Keeps one Event object per thing that happened, however often it did."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    def record(self, event: Event) -> None:
        """Add the event, or count it once more."""
        manifest = _manifest(event)
        now = timestamp(self._now())
        found = self._store.get(Ref.of(manifest))
        first, count = (found["firstTimestamp"], found["count"]) if found else (now, 0)
        dated = {"firstTimestamp": first, "lastTimestamp": now, "count": count + 1}
        self._store.apply(manifest | dated)


def _manifest(event: Event) -> Manifest:
    meta = event.regarding["metadata"]
    regarding = {
        "apiVersion": event.regarding["apiVersion"],
        "kind": event.regarding["kind"],
        "name": meta["name"],
        "namespace": meta["namespace"],
        "uid": meta.get("uid"),
    }
    identity = digest([regarding, event.type, event.reason, event.message])
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.{identity}", "namespace": meta["namespace"]},
        "involvedObject": without_zeros(regarding),
        "type": event.type,
        "reason": event.reason,
        "message": event.message,
    }
