"""Contents of Secrets and ConfigMaps as bytes by key."""

import base64

from proctor_operator.cluster import Manifest


def encoded(secret: Manifest) -> Manifest:
    """`secret` with its `stringData` moved into `data`, as the apiserver does on write."""
    plain = secret.get("stringData", {})
    data = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
    rest = {key: value for key, value in secret.items() if key != "stringData"}
    merged = {**rest.get("data", {}), **data}
    return {**rest, "data": merged} if merged else rest


def contents(source: Manifest) -> dict[str, bytes]:
    """Every key of a Secret or a ConfigMap."""
    if source["kind"] == "Secret":
        return {key: base64.b64decode(text) for key, text in source.get("data", {}).items()}
    plain = {key: text.encode() for key, text in source.get("data", {}).items()}
    binary = source.get("binaryData", {})
    return plain | {key: base64.b64decode(text) for key, text in binary.items()}
