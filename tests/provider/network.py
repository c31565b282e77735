"""The node's own network namespace, joined to the machine by a cable of two virtual ends.

The machine routes pod and service addresses to it, so tests reach both directly. Nothing of the
machine's own network changes but those routes; the node sees no network but this one.
"""

from tests.provider.commands import every, succeeds

NAMESPACE = "proctor"
MACHINE_END = "proctor0"
MACHINE_IP = "10.99.0.1"
NODE_IP = "10.99.0.2"
POD_RANGE = "10.77.0.0/24"
DNS_IP = "10.96.0.10"
REGISTRY = f"{NODE_IP}:5000"


def create(service_range: str) -> None:
    """Make namespace, cable and routes."""
    every(
        [
            f"ip netns add {NAMESPACE}",
            f"ip link add {MACHINE_END} type veth peer name eth0 netns {NAMESPACE}",
            f"ip addr add {MACHINE_IP}/24 dev {MACHINE_END}",
            f"ip link set {MACHINE_END} up",
            f"ip -n {NAMESPACE} addr add {NODE_IP}/24 dev eth0",
            f"ip -n {NAMESPACE} link set eth0 up",
            f"ip -n {NAMESPACE} link set lo up",
            f"ip -n {NAMESPACE} route add default via {MACHINE_IP}",
            f"ip route add {POD_RANGE} via {NODE_IP}",
            f"ip route add {service_range} via {NODE_IP}",
            f"ip netns exec {NAMESPACE} sysctl -qw net.ipv4.ip_forward=1",
        ]
    )


def remove() -> None:
    """Take all of it away; the routes go with the cable."""
    succeeds("ip", "link", "del", MACHINE_END)
    succeeds("ip", "netns", "del", NAMESPACE)
