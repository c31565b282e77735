"""What an object's metadata tells: whether it is on its way out, and whose it is."""

from proctor_operator.cluster import Manifest


def ending(manifest: Manifest) -> bool:
    """Whether the object is being deleted: its name is taken, but it no longer counts."""
    return "deletionTimestamp" in manifest["metadata"]


def owned(manifest: Manifest, uid: str) -> bool:
    """Whether the object belongs to the resource of that uid; a label can be anybody's."""
    owners = manifest["metadata"].get("ownerReferences", [])
    return any(owner.get("uid") == uid for owner in owners)
