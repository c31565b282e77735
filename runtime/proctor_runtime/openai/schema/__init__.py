"""The requests of the OpenAI API and vLLM's additions to them."""
