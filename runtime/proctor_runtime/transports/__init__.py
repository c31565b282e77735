"""Ways from the HTTP front to the engine's batcher."""
