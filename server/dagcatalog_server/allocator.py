"""Gives memory back: what large documents took does not stay with the process."""

import asyncio
import ctypes
import os

# Of <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

LARGE_BLOCK_BYTES = 2 * 1024**2
"""Blocks so large are had from the system and returned at once; a stream's messages are half of it."""
MAX_FREE_BYTES = 16 * 1024**2
"""What may gather in the heap before it is returned."""
LOOK_INTERVAL_S = 1.0


class _Mallinfo2(ctypes.Structure):
    """What glibc tells of its heaps, in bytes; <malloc.h> has the meanings."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


async def return_free_memory() -> None:
    """Return freed memory to the system whenever much of it has gathered, until cancelled.

    By itself glibc keeps freed documents in the heap of each thread: hundreds of MiB after 500
    malformed Puts, eight at a time (tests/faults/test_malformed_puts.py). Having every block of 64
    KiB from the system bounds that too, but then each message is paid for in page faults: an answer
    of 600 KB, or the initial state of a watch, takes twice as long (benchmarks/get.py,
    benchmarks/cold_start.py). So only what is larger than any message of a stream is had from there;
    smaller blocks stay in one heap (of several, glibc would trim the first one to its end only),
    which is trimmed once a second if need be. Other C libraries are left alone, and so is an operator
    who sets MALLOC_MMAP_THRESHOLD_.
    """
    if "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return
    try:
        libc = ctypes.CDLL(None)
        mallopt, mallinfo, trim = libc.mallopt, libc.mallinfo2, libc.malloc_trim
    except (AttributeError, OSError):
        return
    mallinfo.restype = _Mallinfo2
    mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
    mallopt(_M_TRIM_THRESHOLD, MAX_FREE_BYTES)
    mallopt(_M_ARENA_MAX, 1)
    kept = 0
    while True:
        await asyncio.sleep(LOOK_INTERVAL_S)
        # Free memory counts as free after it was returned too; so what is new since then counts.
        free = mallinfo().fordblks
        kept = min(kept, free)
        if free - kept > MAX_FREE_BYTES:
            await asyncio.to_thread(trim, 0)
            kept = mallinfo().fordblks
