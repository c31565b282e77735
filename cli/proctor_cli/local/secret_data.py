"""Contents of Secrets and ConfigMaps as bytes by key."""

import base64
import re
from collections.abc import Iterator

from proctor_operator.cluster import Manifest

_BASE64 = re.compile(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?")


def encoded(secret: Manifest) -> Manifest:
    """`secret` with its `stringData` moved into `data`, as the apiserver does on write."""
    plain = secret.get("stringData", {})
    data = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
    rest = {key: value for key, value in secret.items() if key != "stringData"}
    merged = {**rest.get("data", {}), **data}
    return {**rest, "data": merged} if merged else rest


def illegible(source: Manifest) -> Iterator[str]:
    """Every value of a Secret's `data` or a ConfigMap's `binaryData` that is not base64."""
    field = "data" if source["kind"] == "Secret" else "binaryData"
    for key, text in source.get(field, {}).items():
        # As to the apiserver, line breaks are nothing.
        if not _BASE64.fullmatch(re.sub(r"[\r\n]", "", text)):
            plain = "; give plain text in stringData" if field == "data" else ""
            yield f"{field}.{key}: illegal base64 data{plain}"


def contents(source: Manifest) -> dict[str, bytes]:
    """Every key of a Secret or a ConfigMap."""
    if source["kind"] == "Secret":
        return {key: base64.b64decode(text) for key, text in source.get("data", {}).items()}
    plain = {key: text.encode() for key, text in source.get("data", {}).items()}
    binary = source.get("binaryData", {})
    return plain | {key: base64.b64decode(text) for key, text in binary.items()}
