"""Where everything can run, nothing may be skipped: else a tier could vanish without a word."""

import os
from collections.abc import Generator
from typing import Any

import pytest


def required() -> bool:
    """Whether this machine has to run every tier, as CI says with PROCTOR_REQUIRE_CLUSTER=1."""
    return os.environ.get("PROCTOR_REQUIRE_CLUSTER") == "1"


class NoSkips:
    """A pytest plugin: fails a session that skipped anything but tests marked `gpu`."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def note(self, report: Any) -> None:
        """Remember a report of a skip, with its reason."""
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            self.skipped.append(f"{report.nodeid}: {reason}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Look at each test's reports; only the machine's lack of a CUDA device is an excuse."""
        report = yield
        if not item.get_closest_marker("gpu"):
            self.note(report)
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Look at files that are skipped as a whole."""
        self.note(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn success into failure."""
        if self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say why."""
        if self.skipped:
            terminalreporter.section("skipped, with PROCTOR_REQUIRE_CLUSTER=1", red=True)
            for line in self.skipped:
                terminalreporter.write_line(line, red=True)
