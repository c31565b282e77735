"""`python -m proctor_operator`: the operator's process."""

import os

import kopf

import proctor_operator.handlers  # noqa: F401  registers the handlers with kopf


def main() -> None:
    """Watch the namespaces in `WATCH_NAMESPACES` (comma-separated), or all of them."""
    names = [name for name in os.environ.get("WATCH_NAMESPACES", "").split(",") if name]
    port = os.environ.get("LIVENESS_PORT", "8081")
    kopf.configure(verbose=False)
    kopf.run(
        namespaces=names,
        clusterwide=not names,
        standalone=True,
        liveness_endpoint=f"http://0.0.0.0:{port}/healthz",
    )


if __name__ == "__main__":
    main()
