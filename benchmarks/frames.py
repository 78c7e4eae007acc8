"""Files of gRPC frames: five bytes of prefix and a message, one after the other."""

from collections.abc import Iterable
from pathlib import Path

PREFIX_BYTES = 5

STAMP = "@" * 19
"""What the compiled client replaces by the nanosecond at which a call began."""
MARK = "stamp:"
"""What stands before a stamp, for those who watch."""


def frame(message: bytes) -> bytes:
    """Put the prefix of an uncompressed message before it."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def write_frames(path: Path, messages: Iterable[bytes]) -> Path:
    """Write a file of frames."""
    with path.open("wb") as file:
        file.writelines(frame(message) for message in messages)
    return path


def read_frames(path: Path) -> list[bytes]:
    """Read the messages of a file of frames."""
    raw, start, messages = path.read_bytes(), 0, []
    while start < len(raw):
        end = start + PREFIX_BYTES + int.from_bytes(raw[start + 1 : start + PREFIX_BYTES], "big")
        messages.append(raw[start + PREFIX_BYTES : end])
        start = end
    return messages
