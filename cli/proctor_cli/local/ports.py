"""Ports on 127.0.0.1 for containers and Services."""

import random
import socket

from proctor_operator.cluster import Manifest

LOOPBACK = "127.0.0.1"

# Below the ranges from which Linux and macOS take ports for outgoing connections: nobody is given a
# port of ours by chance between our choosing it and the pod's binding it.
_FIRST, _LAST = 20000, 32767


class Ports:
    """Hands out ports that nobody listens on, never one twice at a time on this machine.

    A pod may listen minutes after it was given its port. Till then a UDP socket of the same number
    tells other clusters that it is taken; it goes when we go, however that happens.
    """

    def __init__(self, first: int | None = None) -> None:
        # Chance spreads clusters apart; it need not be good.
        self._next = first or random.randint(_FIRST, _LAST)  # noqa: S311
        self._marks: dict[int, socket.socket] = {}

    def take(self) -> int:
        """A free port."""
        for _ in range(_FIRST, _LAST):
            port, self._next = self._next, self._next + 1 if self._next < _LAST else _FIRST
            if mark := _mark(port):
                self._marks[port] = mark
                return port
        raise OSError(f"no free port on {LOOPBACK} between {_FIRST} and {_LAST}")

    def give_back(self, *ports: int) -> None:
        """Let others have `ports`."""
        for port in ports:
            self._marks.pop(port).close()

    def close(self) -> None:
        """Let others have every port."""
        self.give_back(*self._marks)


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


def _mark(port: int) -> socket.socket | None:
    """The mark on `port`, if it is free."""
    mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        mark.bind((LOOPBACK, port))
        bound_socket(port).close()
    except OSError:
        mark.close()
        return None
    return mark
