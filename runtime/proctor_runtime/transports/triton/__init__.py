"""Through a Triton Inference Server that pytriton runs beside this process.

Two models stand on it, and both end in the one engine. The one with the deployment's name takes a
text and returns one (`text_model`); any Triton client can call it. The other takes token ids and
tells of tokens as they come (`engine_model`); the HTTP front goes through it (`client`).
"""
