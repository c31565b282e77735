"""The adapter: the proxy between a harness and the model, and the only holder of the API key.

It forwards every request as it is, and on the way keeps what the harness itself does not report:
how far the evaluation is, what each item cost, and which requests the target failed to answer.
"""
