"""Reading (and, for small models, writing) checkpoints."""
