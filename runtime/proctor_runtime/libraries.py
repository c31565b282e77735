"""What libraries are told through the environment, before they are imported."""

from collections.abc import MutableMapping

DEFAULTS = {
    # Megatron-Core decorates its fused functions at import; none of them is used here, and to have
    # them compiled would only import the compiler, for seconds.
    "TORCHDYNAMO_DISABLE": "1",
    # A step is hundreds of short loops over the CPUs. libgomp's threads wait for the next loop by
    # spinning, 300,000 times if nobody says, which takes milliseconds: where another process has
    # one of the CPUs, each loop then waits for it that long. Not to spin at all costs as much as
    # many a loop takes. So often is about 0.2 ms (bench/LOG.md).
    "GOMP_SPINCOUNT": "20000",
}


def prepare(environ: MutableMapping[str, str]) -> None:
    """Set what is not set; to be called before PyTorch is imported."""
    for name, value in DEFAULTS.items():
        environ.setdefault(name, value)
