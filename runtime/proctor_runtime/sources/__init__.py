"""Fetching a model from where it is kept: S3, HTTP, a Hugging Face hub."""
