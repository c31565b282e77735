"""Each harness package for real: in its own environment, through the adapter, to its report."""
