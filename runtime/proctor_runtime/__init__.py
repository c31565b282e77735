"""The serving runtime: an engine over token ids, transports in front of it, and the OpenAI API."""
