"""Executes programs that a model wrote (docs/adr/0015-generated-code-beside-the-harness.md)."""
