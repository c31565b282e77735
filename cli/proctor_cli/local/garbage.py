"""The garbage collector: what no living owner holds is deleted."""

from proctor_cli.local.controller import Queue
from proctor_cli.local.objects import Change, owner_uids, uid
from proctor_cli.local.store import Store
from proctor_operator.cluster import Ref


class GarbageCollector:
    """Background cascade along ownerReferences, by uid and not by name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.queue = Queue(self._sync)

    def on_change(self, change: Change) -> None:
        """Look at dependents of what has gone, and at what may have come after its owner went."""
        if change.type == "ADDED" and owner_uids(change.object):
            self.queue.add(change.ref)
        if change.type == "DELETED":
            for each in self._store.everything():
                if uid(change.object) in owner_uids(each):
                    self.queue.add(Ref.of(each))

    def _sync(self, ref: Ref) -> None:
        found = self._store.get(ref)
        if found is None or not (owners := owner_uids(found)):
            return
        if owners.isdisjoint(uid(each) for each in self._store.everything()):
            self._store.delete(ref)
