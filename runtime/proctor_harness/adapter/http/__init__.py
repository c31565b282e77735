"""HTTP/1.1 on both sides of the adapter: asyncio protocols around the llhttp parser.

Small because it only knows what a proxy of JSON and event streams needs, and fast because nothing
else is in between (docs/adr/0011-the-adapters-own-http.md has the figures).
"""
