"""The context file: several servers by name, one of them the current, as kubectl has it.

    current = "prod"

    [contexts.prod]
    address = ["catalog-0.example.com:443", "catalog-1.example.com:443"]
    ca_file = "prod-ca.pem"
    token_file = "~/.secrets/dagcatalog"

Paths are relative to the file's folder.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Self

from dagcatalog_client.errors import InvalidSettings

FILE_VARIABLE = "DAGCATALOG_CONTEXT_FILE"
MAX_FILE_BYTES = 1024**2
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class StoredContext:
    """One server of the file; what it leaves out is None or empty."""

    addresses: tuple[str, ...] = ()
    namespace: str = ""
    tls: bool | None = None
    """None: with TLS if one of its files is named."""
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    server_name: str = ""
    token: str = field(default="", repr=False)
    token_file: Path | None = None

    @property
    def wants_tls(self) -> bool:
        """Whether to connect with TLS."""
        named = self.ca_file or self.certificate_file or self.server_name
        return bool(named) if self.tls is None else self.tls


@dataclass(frozen=True, slots=True)
class Contexts:
    """What the file holds."""

    file: Path
    current: str = ""
    """Empty: none."""
    by_name: Mapping[str, StoredContext] = field(default_factory=dict)

    def named(self, name: str) -> StoredContext:
        """Return one context.

        Raises:
            InvalidSettings: there is none of that name.

        """
        if (found := self.by_name.get(name)) is not None:
            return found
        known = ", ".join(sorted(self.by_name)) or "none"
        raise InvalidSettings(f"{self.file} has no context {name!r}; it has {known}")

    def used(self, name: str) -> Self:
        """Return it with another current context."""
        self.named(name)
        return replace(self, current=name)

    def having(self, name: str, context: StoredContext) -> Self:
        """Return it with a context added or replaced."""
        if not NAME.fullmatch(name):
            raise InvalidSettings(
                f"{name!r} is no name for a context: letters, digits, '.', '_' and '-', to 63"
            )
        return replace(self, by_name={**self.by_name, name: context})

    def without(self, name: str) -> Self:
        """Return it without one context; if that was the current one, there is none."""
        self.named(name)
        left = {key: value for key, value in self.by_name.items() if key != name}
        return replace(self, current="" if name == self.current else self.current, by_name=left)


def file_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the file is, or would be."""
    if named := environ.get(FILE_VARIABLE):
        return Path(named).expanduser().absolute()
    base = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or "~") / ".config")
    return Path(base).expanduser() / "dagcatalog" / "contexts.toml"


def load(environ: Mapping[str, str] = os.environ) -> Contexts:
    """Read the file; one that is not there holds nothing.

    Raises:
        InvalidSettings: it cannot be read, or is not what it should be.

    """
    path = file_path(environ)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Contexts(path)
    except OSError as error:
        raise InvalidSettings(f"{path} cannot be read: {error.strerror}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise InvalidSettings(f"{path} is over 1 MiB: that is no context file")
    return parse(raw, path)


def parse(raw: bytes, path: Path) -> Contexts:
    """Read TOML."""
    try:
        tree = tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSettings(f"{path} is not TOML: {error}") from error
    stored, current = tree.pop("contexts", {}), tree.pop("current", "")
    if tree or not isinstance(stored, dict) or not isinstance(current, str):
        raise InvalidSettings(f"{path} holds something else than `current` and `[contexts.NAME]`")
    found = Contexts(path, current)
    for name, table in stored.items():
        found = found.having(name, _stored(table, f"{path}, context {name!r}", path.parent))
    return found.used(current) if current else found


def render(contexts: Contexts) -> str:
    """Write TOML that `parse` reads as the same."""
    lines = [f"current = {_text(contexts.current)}", ""] if contexts.current else []
    for name, context in contexts.by_name.items():
        lines.append(f"[contexts.{_text(name)}]")
        lines += [f"{key} = {value}" for key, value in _pairs(context)]
        lines.append("")
    return "\n".join(lines)


_FILES = ("ca_file", "certificate_file", "key_file", "token_file")
_TEXTS = ("namespace", "server_name", "token")


def _stored(table: object, where: str, folder: Path) -> StoredContext:
    if not isinstance(table, dict):
        raise InvalidSettings(f"{where}: is no table")
    known = {each.name for each in fields(StoredContext)} - {"addresses"} | {"address"}
    if unknown := sorted(set(table) - known):
        raise InvalidSettings(f"{where}: {unknown[0]!r} is no setting; there are {_listed(known)}")
    for key in (*_FILES, *_TEXTS):
        if not isinstance(table.get(key, ""), str):
            raise InvalidSettings(f"{where}: {key} must be a text")
    if not isinstance(table.get("tls", None), bool | None):
        raise InvalidSettings(f"{where}: tls must be true or false")
    if table.get("token") and table.get("token_file"):
        raise InvalidSettings(f"{where}: has token and token_file; one of them is enough")

    def file(key: str) -> Path | None:
        return folder / Path(table[key]).expanduser() if table.get(key) else None

    return StoredContext(
        addresses=_addresses(table.get("address", []), where),
        namespace=table.get("namespace", ""),
        tls=table.get("tls"),
        ca_file=file("ca_file"),
        certificate_file=file("certificate_file"),
        key_file=file("key_file"),
        server_name=table.get("server_name", ""),
        token=table.get("token", ""),
        token_file=file("token_file"),
    )


def _addresses(given: object, where: str) -> tuple[str, ...]:
    texts = given.split(",") if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InvalidSettings(f"{where}: address must be a text, or a list of them")
    return tuple(text.strip() for text in texts if text.strip())


def _pairs(context: StoredContext) -> list[tuple[str, str]]:
    pairs = [("address", ", ".join(map(_text, context.addresses)))] if context.addresses else []
    if len(context.addresses) > 1:
        pairs = [("address", f"[{pairs[0][1]}]")]
    for key in ("namespace", "tls", "ca_file", "certificate_file", "key_file", "server_name"):
        value = getattr(context, key)
        if isinstance(value, bool):
            pairs.append((key, "true" if value else "false"))
        elif value:
            pairs.append((key, _text(str(value))))
    pairs += [
        (key, _text(str(value)))
        for key in ("token", "token_file")
        if (value := getattr(context, key))
    ]
    return pairs


def _text(value: str) -> str:
    """Write a basic string: JSON's escapes are TOML's, but for DEL."""
    if not value.isprintable():
        raise InvalidSettings(f"{value!r} holds a character that no setting has")
    return json.dumps(value, ensure_ascii=False)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
