"""What this process writes about itself: one line an event, to standard error."""

import sys

import structlog


def configure() -> None:
    """Write plain lines and plain tracebacks.

    structlog's default shows every local variable of every frame where rich is installed: seconds
    in which nothing is reconciled, and whatever secrets the variables hold.
    """
    plain = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    structlog.configure(
        processors=[structlog.processors.add_log_level, stamp, plain],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
