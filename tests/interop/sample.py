"""The messages that everyone sends and expects: so and so many bytes of text or of binary."""


def sample(kind, count):
    """Text of two-byte characters, or bytes of all values; every agent knows the same ones."""
    if kind == "text":
        return "\u00e9" * (count >> 1) + "x" * (count & 1)
    return bytes(i * 7 & 255 for i in range(count))


def encoded(kind, count):
    """The same as bytes."""
    message = sample(kind, count)
    return message.encode() if kind == "text" else message
