"""Gives memory back: what large documents took does not stay with the process."""

import ctypes
import os

_M_MMAP_THRESHOLD = -3  # of <malloc.h>
# What grpc reads messages in: hundreds of such blocks for one large document.
LARGE_BLOCK_BYTES = 64 * 1024


def return_large_blocks() -> None:
    """Let glibc take every large block from the system, and return it when it is freed.

    By itself glibc raises the size from which it does so with every such block that is freed, to
    32 MiB, and then keeps freed documents in the heap of each thread: hundreds of MiB after 500
    malformed Puts, eight at a time (tests/faults/test_malformed_puts.py). With blocks of 256 KiB
    and more returned, 14 to 75 MiB stay; with those of 64 KiB as well, 11 to 15, for about a tenth
    more CPU time of Puts of 100 KB. Other C libraries are left alone.
    """
    if "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return  # the operator knows better
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
