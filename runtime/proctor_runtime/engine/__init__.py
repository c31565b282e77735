"""Engines turn token ids into token ids and log-probabilities; they know no HTTP and no text."""
