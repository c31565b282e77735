"""A claim whose directory the `cluster` fixture gives, and its mount."""

from typing import Any

MODEL = {"name": "model", "persistentVolumeClaim": {"claimName": "model"}}
MOUNT: dict[str, Any] = {
    "env": [{"name": "MOUNT_MODEL", "value": "/model"}],
    "volumeMounts": [{"name": "model", "mountPath": "/model"}],
}
