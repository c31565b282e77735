"""Ports on 127.0.0.1 for containers and Services."""

import random
import socket

from proctor_operator.cluster import Manifest

LOOPBACK = "127.0.0.1"

# Below the ranges from which Linux and macOS take ports for outgoing connections: nobody is given a
# port of ours by chance between our choosing it and the pod's binding it.
_FIRST, _LAST = 20000, 32767


class Ports:
    """Hands out ports that nobody listens on, never one twice at a time."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._next = random.randint(_FIRST, _LAST)  # noqa: S311  only spreads clusters apart

    def take(self) -> int:
        """A free port."""
        for _ in range(_FIRST, _LAST):
            self._next = self._next + 1 if self._next < _LAST else _FIRST
            if self._next not in self._taken and _free(self._next):
                self._taken.add(self._next)
                return self._next
        raise OSError(f"no free port on {LOOPBACK} between {_FIRST} and {_LAST}")

    def give_back(self, *ports: int) -> None:
        """Let others have `ports`."""
        self._taken.difference_update(ports)


class PodPorts:
    """The ports of one pod: where on 127.0.0.1 each of its containers' ports is."""

    def __init__(self, pod: Manifest, ports: Ports) -> None:
        self._ports = ports
        spec = pod["spec"]
        declared = [
            port
            for container in [*spec.get("initContainers", []), *spec["containers"]]
            for port in container.get("ports", [])
        ]
        self._by_number = {port["containerPort"]: ports.take() for port in declared}
        self._numbers = {port["name"]: port["containerPort"] for port in declared if "name" in port}

    def resolve(self, port: str | int) -> int | None:
        """The port of this machine for a container port's name or number."""
        number = self._numbers.get(port) if isinstance(port, str) else port
        return self._by_number.get(number) if number is not None else None

    def variables(self) -> dict[str, str]:
        """`PORT_<NAME>` for every named port of the pod."""
        return {
            f"PORT_{variable_part(name)}": str(self._by_number[number])
            for name, number in self._numbers.items()
        }

    def release(self) -> None:
        """Let others have these ports."""
        self._ports.give_back(*self._by_number.values())


def variable_part(name: str) -> str:
    """`name` as the address convention writes it in a variable."""
    return name.upper().replace("-", "_")


def bound_socket(port: int) -> socket.socket:
    """A socket that owns `port` but does not listen: whoever connects is refused."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((LOOPBACK, port))
    except OSError:
        bound.close()
        raise
    return bound


def _free(port: int) -> bool:
    try:
        bound_socket(port).close()
    except OSError:
        return False
    return True
