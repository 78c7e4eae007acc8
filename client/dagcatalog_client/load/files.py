"""Which files a load is of, and what they are called in their bundle."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dagcatalog_client.parse import documents

MAX_DOCUMENT_FILE_BYTES = 64 * 1024**2  # what a message to the catalog may hold
PARSED_SUFFIXES = (".py", ".zip")


class NothingToLoad(Exception):
    """The paths that were given cannot be loaded, or not together."""


@dataclass(frozen=True)
class LoadFile:
    """A file to load. `name` is its path inside the bundle, whose folder is `root`."""

    name: str
    path: Path
    root: Path

    @property
    def is_document(self) -> bool:
        """Whether it holds a serialized DAG; otherwise Airflow parses it."""
        return self.path.suffix == ".json"


@dataclass(frozen=True)
class Selection:
    """The files of one load. `folders` are those that were loaded whole, as names in the bundle."""

    files: tuple[LoadFile, ...]
    folders: tuple[str, ...]

    def covers(self, name: str) -> bool:
        """Tell whether a file of that name would have been found if it were there."""
        return any(folder == "." or name.startswith(f"{folder}/") for folder in self.folders)


def needs_airflow(paths: Sequence[Path]) -> bool:
    """Tell whether there is anything that only Airflow can read."""
    return any(
        path.suffix != ".json" if path.is_file() else any(_walk(path, PARSED_SUFFIXES))
        for path in paths
    )


def select(
    paths: Sequence[Path], root: Path | None, find: Callable[[str], Sequence[str]] | None
) -> Selection:
    """Find the files below the paths; `find` lists a folder's DAG files as Airflow would.

    Raises:
        NothingToLoad: a path is outside of the root, or two files have the same name.

    """
    files: dict[str, LoadFile] = {}
    folders: list[str] = []
    for path in (Path(os.path.abspath(path)) for path in paths):  # noqa: PTH100 - keeps links
        base = root or (path if path.is_dir() else path.parent)
        if path.is_dir():
            folders.append(_name(path, base))
        for found in _below(path, find):
            file = LoadFile(_name(found, base), found, base)
            if files.setdefault(file.name, file).path != file.path:
                raise NothingToLoad(
                    f"{files[file.name].path} and {file.path} are both {file.name!r} in their "
                    "folders: name the folder above both with --root, or load them as two bundles"
                )
    return Selection(tuple(files[name] for name in sorted(files)), tuple(folders))


def _below(path: Path, find: Callable[[str], Sequence[str]] | None) -> Iterator[Path]:
    if path.is_file():
        if path.suffix not in (".json", *PARSED_SUFFIXES):
            raise NothingToLoad(f"{path} is neither .py nor .zip nor .json")
        yield path
        return
    if find is not None:
        yield from map(Path, find(str(path)))
    for file in _walk(path, (".json",)):
        with contextlib.suppress(OSError):
            if documents.looks_serialized(read_document(file)):
                yield file


def read_document(path: Path) -> bytes:
    """Read a JSON file, but never more than the catalog could take."""
    with path.open("rb") as opened:
        return opened.read(MAX_DOCUMENT_FILE_BYTES + 1)


def _walk(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name != "__pycache__"
        )
        for name in sorted(names):
            path = Path(place, name)
            if name.endswith(suffixes) and path.is_file():
                yield path


def _name(path: Path, base: Path) -> str:
    try:
        return path.relative_to(base).as_posix()
    except ValueError as error:
        raise NothingToLoad(f"{path} is not inside of {base}") from error
