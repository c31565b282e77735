"""The ways in which a cluster cannot be had."""


class UnavailableError(Exception):
    """This machine cannot provide it; the message names what is missing and how to get it."""


class FailedError(Exception):
    """It should have worked: a process died, or was not ready in time."""
