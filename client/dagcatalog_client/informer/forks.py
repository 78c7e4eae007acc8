"""What happens to informers when their process forks: nothing in the parent, silence in the child.

grpc cannot be used in a child of a process that used it (with GRPC_ENABLE_FORK_SUPPORT unset or 0;
with 1 children hang), so a child's informer serves what it has and asks for nothing. A fork copies
locks as they are, and threads that would have released them are gone; so the forking thread takes
every informer's lock first, which also means that the child sees whole states only, and the child
gets new locks.
"""

import ctypes
import logging
import os
import threading
import weakref
from collections.abc import Mapping
from typing import Protocol

logger = logging.getLogger(__name__)

GRPC_VARIABLE = "GRPC_ENABLE_FORK_SUPPORT"
PATIENCE_S = 5.0
"""The locks are held for moments; a fork does not wait longer for one."""


class Forkable(Protocol):
    """What takes part in a fork."""

    def before_fork(self, patience_s: float) -> bool:
        """Hold still; tell whether that came to be."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Go on alone, without threads and without grpc."""


_live: "weakref.WeakSet[Forkable]" = weakref.WeakSet()
_still: dict[int, list[Forkable]] = {}
"""By forking thread, which is the same in the child."""
_registered = threading.Lock()
_hooks_set = False


def register(one: Forkable) -> None:
    """Let an object take part in every fork from now on."""
    global _hooks_set  # noqa: PLW0603 - hooks are the process's, and cannot be taken away again
    with _registered:
        if not _hooks_set:
            os.register_at_fork(
                before=_before, after_in_parent=_in_parent, after_in_child=_in_child
            )
            _hooks_set = True
        _live.add(one)


def never_end(*kept: object) -> None:
    """Keep objects of grpc for as long as the process lives: ending them would touch grpc."""
    for one in kept:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(one))


def warn_of_grpc(environ: Mapping[str, str] = os.environ) -> None:
    """Say in the log that grpc's own fork handlers are on: with a watch open, they hang children."""
    if environ.get(GRPC_VARIABLE, "").lower() in ("1", "true", "yes", "on"):
        logger.warning("grpc_fork_support_on: set %s=0 where processes fork", GRPC_VARIABLE)


def _before() -> None:
    mine = sorted(_live, key=id)  # in one order, so that two forking threads cannot cross
    _still[threading.get_ident()] = [one for one in mine if one.before_fork(PATIENCE_S)]


def _in_parent() -> None:
    for one in _still.pop(threading.get_ident(), ()):
        one.after_fork_in_parent()


def _in_child() -> None:
    global _registered  # noqa: PLW0603 - another thread may have held it
    _registered = threading.Lock()
    _still.clear()
    for one in list(_live):
        one.after_fork_in_child()
