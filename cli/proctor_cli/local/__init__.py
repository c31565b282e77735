"""A cluster of one machine, whose pods are processes on 127.0.0.1."""

from proctor_cli.local.cluster import LocalCluster
from proctor_cli.local.objects import Change

__all__ = ["Change", "LocalCluster"]
