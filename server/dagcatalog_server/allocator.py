"""Gives memory back: what large documents took does not stay with the process."""

import ctypes
import os

_M_MMAP_THRESHOLD = -3  # of <malloc.h>
LARGE_BLOCK_BYTES = 256 * 1024


def return_large_blocks() -> None:
    """Let glibc take every large block from the system, and return it when it is freed.

    By itself glibc raises the size from which it does so with every such block that is freed, to
    32 MiB, and then keeps freed documents in the heap of each thread: after 140 refused ones, 35
    of them of 17 MiB and more, 172 MiB stayed, and now 14 to 27. Other C libraries are left alone.
    """
    if "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return  # the operator knows better
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
