"""The local cluster's types are those of the apiserver.

After another version of Kubernetes: `UPDATE_GOLDEN=1 python -m pytest tests/apiserver`.
"""

import json
import os
from pathlib import Path

import pytest

from proctor_cli.local import schema
from tests.apiserver.api_types import GROUPS, api_types, text
from tests.kube import Kubectl
from tests.provider import binary

pytestmark = pytest.mark.apiserver
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))


def test_types_are_the_apiservers(apiserver_kubeconfig: Path) -> None:
    kubectl = Kubectl(binary("kubectl"), apiserver_kubeconfig)
    documents = [json.loads(kubectl("get", "--raw", f"/openapi/v3/{group}")) for group in GROUPS]
    schemas = {k: v for each in documents for k, v in each["components"]["schemas"].items()}
    types = api_types(schemas)
    if UPDATE:
        schema.FILE.write_text(text(types))
    assert text(types) == schema.FILE.read_text()
