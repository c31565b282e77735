"""How long to wait before the next attempt."""

_LONGEST = 30  # times the first delay: 300 s for Kubernetes' 10 s
_RESET = 60  # times the first delay without a failure, and the count starts anew


class Backoff:
    """Nothing, then `first_seconds`, then twice as long each time: the kubelet's crash loop."""

    def __init__(self, first_seconds: float) -> None:
        self._first = first_seconds
        self._next = 0.0

    def next(self) -> float:
        """Seconds to wait now."""
        delay = self._next
        self._next = min(delay * 2 or self._first, self._first * _LONGEST)
        return delay

    def ran(self, seconds: float) -> None:
        """Something ran well for `seconds`: forget old failures if that was long."""
        if seconds >= self._first * _RESET:
            self._next = 0.0
