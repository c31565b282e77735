"""What runs in an evaluation pod: the driver of a harness and the adapter beside it."""
