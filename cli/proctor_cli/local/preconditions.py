"""Which object an applier means, where it says so: this very one, or this version of it."""

from proctor_operator.cluster import ClusterError, Manifest, Rejected


def check(meant: Manifest, live: Manifest | None) -> None:
    """Raise, as the apiserver does, where what is `meant` by uid or resourceVersion is not there.

    An object with another uid never turns into the one meant: `Rejected`. Everything else may be
    different for who looks again: `ClusterError`.
    """
    meta = meant.get("metadata", {})
    title = f'{meant.get("kind")} "{meta.get("name")}"'
    uid, version = meta.get("uid"), meta.get("resourceVersion")
    if live is None:
        if uid is not None:
            raise ClusterError(f"409: uid mismatch: {uid} was given, and there is no {title}")
        return
    if uid not in (None, live["metadata"]["uid"]):
        problem = f'metadata.uid: Invalid value: "{uid}": field is immutable'
        raise Rejected(f"{title} is invalid: {problem}")
    if version not in (None, live["metadata"]["resourceVersion"]):
        raise ClusterError(f"409: {title} is not at version {version}: it has been modified")
