"""The two commands, on the bucket and the folder that they are told of."""

from proctor_runtime.artifacts.bucket import Bucket
from proctor_runtime.artifacts.keep import keep
from proctor_runtime.artifacts.mirror import Mirror
from proctor_runtime.artifacts.resume import resume
from proctor_runtime.artifacts.settings import ArtifactsSettings


def run(settings: ArtifactsSettings) -> None:
    """Fetch and end, or store until told to leave."""
    bucket = Bucket(settings.location, settings.endpoint)
    settings.folder.mkdir(parents=True, exist_ok=True)
    if settings.command == "resume":
        resume(bucket, settings.folder)
    else:
        keep(Mirror(bucket, settings.folder), settings.port)
