"""Executes programs that a model wrote (docs/adr/0017-generated-code-beside-the-harness.md)."""
