"""``python -m proctor_harness run``: the main container of an evaluation's pod."""

import argparse

from proctor_harness import driver


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="proctor_harness", description=__doc__)
    parser.add_subparsers(required=True).add_parser("run", help="evaluate what RUN_SPEC asks for")
    parser.parse_args()
    return driver.main()


if __name__ == "__main__":
    raise SystemExit(main())
