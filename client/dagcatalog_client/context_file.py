"""Changes the context file: whole or not at all, for its owner's eyes only."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from dagcatalog_client import contexts
from dagcatalog_client.contexts import Contexts
from dagcatalog_client.errors import InvalidSettings


def change(
    edit: Callable[[Contexts], Contexts], environ: Mapping[str, str] = os.environ
) -> Contexts:
    """Read the file, edit what it holds, write it anew; one of several writers at a time.

    Raises:
        InvalidSettings: the file cannot be read or written; it is as it was.

    """
    # A file that is a link, in a folder of dotfiles perhaps, stays one.
    path = contexts.file_path(environ).resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(path.parent):
            edited = edit(contexts.load(environ))
            _write(path, contexts.render(edited).encode())
    except OSError as error:
        raise InvalidSettings(f"{path} cannot be written: {error.strerror}") from error
    return edited


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder against other writers; the lock goes when the descriptor does."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, raw: bytes) -> None:
    # mkstemp makes it 0600, and the file keeps that when it takes the place of the old one.
    descriptor, name = tempfile.mkstemp(prefix=".contexts-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
