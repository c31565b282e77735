"""How an interceptor ends a request."""


class InterceptorError(Exception):
    """It failed. The request fails too: an answer that was not treated as configured is none."""

    def __init__(self, name: str, cause: BaseException) -> None:
        super().__init__(f"interceptor {name}: {cause or type(cause).__name__}")
        self.name = name


class UnreadableError(Exception):
    """It cannot do its work on this message."""


class RefusedError(Exception):
    """It refuses the request, by rule and not by accident."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
