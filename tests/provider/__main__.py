"""`python -m tests.provider`."""

from tests.provider.cli import main

main()
