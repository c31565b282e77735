"""Processes that stand for the server and the harness where a test is about failures.

The real ones run in tests/runtime and tests/e2e, and in tests/local/test_demo.py.
"""
