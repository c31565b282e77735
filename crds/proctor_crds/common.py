"""Types that both kinds use: references to cluster objects and conditions."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from proctor_crds.base import INT_OR_STRING, Message, Model, Rule, Text, Time

GROUP = "proctor.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
NAME_RULE = Rule(
    "self.metadata.name.matches('^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$')",
    "metadata.name: use at most 63 of a-z, 0-9 and -, a letter first: it names a Service and is"
    " a label of the pods",
)


Url = Annotated[str, Field(pattern=r"^https?://", max_length=1024)]
"""An HTTP or HTTPS URL."""


class LocalRef(Model):
    """Names an object in the same namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the object."""


class SecretKeyRef(Model):
    """One key of a Secret in the same namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the Secret."""
    key: Annotated[str, Field(min_length=1, max_length=253)]
    """Key within the Secret's data."""


class PvcSource(Model):
    """Files on a PersistentVolumeClaim, mounted read-only."""

    claim_name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the PersistentVolumeClaim."""
    path: Text = "."
    """Path within the volume."""


class S3Source(Model):
    """Files in an S3 bucket."""

    uri: Annotated[str, Field(pattern=r"^s3://[a-z0-9][-.a-z0-9]+(/.*)?$", max_length=1024)]
    """`s3://bucket/prefix`; all objects below the prefix are meant."""
    path: Text = "."
    """Path below the prefix."""
    endpoint: Url | None = None
    """URL of an S3-compatible server; AWS when absent."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$", max_length=63)] | None = None
    """The bucket's region; what the pod's environment says, else us-east-1, when absent."""
    secret_ref: LocalRef | None = None
    """Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and perhaps AWS_SESSION_TOKEN."""


class HttpSource(Model):
    """Files behind an HTTP URL."""

    url: Url
    """URL of an archive (.tar, .tar.gz, .zip, ...) or of a list of files as sha256sum writes it."""
    path: Text = "."
    """Path within the archive, or below the list."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)] | None = None
    """SHA-256 of the archive, or of the list."""
    secret_ref: SecretKeyRef | None = None
    """Bearer token to present."""


class Condition(Model):
    """A standard condition (metav1.Condition)."""

    type: Annotated[str, Field(max_length=316)]
    """Name of the condition."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(max_length=1024)]
    """One word of docs/reasons.md."""
    message: Message
    """The same for a person, with names, values and the remedy."""
    last_transition_time: Time
    """When `status` last changed."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The generation of the spec that the condition speaks of."""


def quantity_text(value: Any) -> Any:
    """A whole number as text: a person writes `cpu: 1` in YAML, Kubernetes keeps `"1"`."""
    return str(value) if type(value) is int else value


Quantity = Annotated[
    str,
    Field(
        max_length=64,
        pattern=r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$",
        json_schema_extra=INT_OR_STRING | {"minimum": 0},
    ),
    BeforeValidator(quantity_text),
]
"""An amount such as `2`, `500m` or `2Gi` (resource.Quantity, never negative)."""

Quantities = Annotated[dict[str, Quantity], Field(max_length=16)]
"""Amounts by resource name."""


class Resources(Model):
    """Compute resources of a container (core/v1 ResourceRequirements, without claims)."""

    requests: Quantities = {}
    """Least amounts, by resource name."""
    limits: Quantities = {}
    """Most amounts, by resource name."""
