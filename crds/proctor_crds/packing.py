"""Last words that are longer than the kubelet keeps: compressed, as a line of text.

`base64 --decode | bunzip2` shows them, without the `bz2:` that they begin with.
"""

import base64
import bz2

PREFIX = "bz2:"
LONGEST = 20 * 1024
"""Bytes before packing: fifty evaluations of so much still fit into a run's status."""


def packed(text: str) -> str:
    """`text`, in about a third of its room where it holds many scores."""
    return PREFIX + base64.b64encode(bz2.compress(text.encode())).decode()


def unpacked(message: str) -> str:
    """What was packed, or the message as it is; raises ValueError for what nobody packed."""
    if not message.startswith(PREFIX):
        return message
    unpacker = bz2.BZ2Decompressor()
    try:
        # A pod may say anything, such as a few bytes that stand for gigabytes.
        found = unpacker.decompress(base64.b64decode(message[len(PREFIX) :]), LONGEST + 1)
    except OSError as error:
        raise ValueError(f"not what bzip2 writes: {error}") from error
    if len(found) > LONGEST or not unpacker.eof:
        raise ValueError(f"cut off, or more than {LONGEST} bytes")
    return found.decode()
