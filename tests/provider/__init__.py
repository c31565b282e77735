"""Where tests get a real Kubernetes from, on a machine that may have nothing but Go and root.

    with apiserver(state) as kubeconfig: ...     etcd + kube-apiserver on 127.0.0.1, no root needed
    with node() as kubeconfig: ...               pods really run; left as it was found
    binary("kubectl")                            the program, built from Go modules and cached

`UnavailableError` says what this machine lacks. See docs/adr/0005-node-from-go-modules.md.
"""

from tests.provider.apiserver_tier import apiserver
from tests.provider.binaries import binary
from tests.provider.cluster import node
from tests.provider.errors import UnavailableError

__all__ = ["UnavailableError", "apiserver", "binary", "node"]
