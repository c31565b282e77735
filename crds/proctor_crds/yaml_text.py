"""YAML as Kubernetes' Go parser reads it."""

import re
from typing import Any

import yaml


class Dumper(yaml.SafeDumper):
    """Quotes `y` and `n`, which are booleans to YAML 1.1 and to Go, but not to PyYAML."""


Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^[yYnN]$"), list("yYnN"))


def to_yaml(document: Any) -> str:
    """One document, keys in their order."""
    return yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True)
