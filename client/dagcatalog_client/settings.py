"""Where the catalog is, and who asks: from arguments, variables, a context, else this machine.

Field by field the first of these that says something: the arguments, the `DAGCATALOG_*` variables,
the context, the defaults. A context is used only if nothing stronger than what names it gives the
address: the token of one server never goes to another because an address was overridden.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dagcatalog_client import contexts
from dagcatalog_client.contexts import StoredContext
from dagcatalog_client.errors import InvalidSettings
from dagcatalog_client.targets import check_addresses, only_loopback

ADDRESS_VARIABLE = "DAGCATALOG_ADDRESS"
NAMESPACE_VARIABLE = "DAGCATALOG_NAMESPACE"
CONTEXT_VARIABLE = "DAGCATALOG_CONTEXT"
TLS_VARIABLE = "DAGCATALOG_TLS"
CA_FILE_VARIABLE = "DAGCATALOG_CA_FILE"
CERTIFICATE_FILE_VARIABLE = "DAGCATALOG_CERTIFICATE_FILE"
KEY_FILE_VARIABLE = "DAGCATALOG_KEY_FILE"
SERVER_NAME_VARIABLE = "DAGCATALOG_SERVER_NAME"
TOKEN_VARIABLE = "DAGCATALOG_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE_VARIABLE = "DAGCATALOG_TOKEN_FILE"  # noqa: S105 - the name of a variable
DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_NAMESPACE = "default"

Address = str | Sequence[str]
Token = str | Path


@dataclass(frozen=True, slots=True)
class Tls:
    """How to trust the server, and how to be known to it. Files are PEM, read again when changed."""

    ca_file: Path | None = None
    """Whose certificates are trusted; None: the authorities that grpcio ships."""
    certificate_file: Path | None = None
    """The client's own certificate (mTLS), with `key_file`."""
    key_file: Path | None = None
    server_name: str = ""
    """Name that the server's certificate must hold; empty: the host of the address."""

    def __post_init__(self) -> None:
        if (self.certificate_file is None) != (self.key_file is None):
            raise InvalidSettings("a client certificate needs both certificate_file and key_file")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client is set to."""

    address: str
    """gRPC target, `host:port` or `dns:///name:port`; several with commas between them."""
    namespace: str
    """Airflow deployment that calls mean when they name none."""
    tls: Tls | None = None
    """None: plaintext."""
    token: Token | None = field(default=None, repr=False)
    """Sent as a bearer token; a path is a file that holds it, read again when it changes."""
    context: str = ""
    """The context that had a part in it; empty: none."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return each replica."""
        return tuple(part.strip() for part in self.address.split(",") if part.strip())


def resolve(
    address: Address | None,
    namespace: str | None,
    *,
    tls: Tls | bool | None = None,
    token: Token | None = None,
    context: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Fill in what the arguments leave out.

    Raises:
        InvalidSettings: they contradict each other, or would send a token where it can be read.

    """
    given = address if isinstance(address, str | None) else ",".join(address)
    named, stored = _context(context, environ, address_given=bool(given))
    return _filled(given, namespace, named, stored, tls=tls, token=token, environ=environ)


def from_context(name: str, stored: StoredContext) -> Settings:
    """Return what a client is set to that takes everything from one context.

    Raises:
        InvalidSettings: it contradicts itself.

    """
    nothing: Mapping[str, str] = {}
    return _filled(None, None, name, stored, tls=None, token=None, environ=nothing)


def _context(
    asked: str | None, environ: Mapping[str, str], *, address_given: bool
) -> tuple[str, StoredContext]:
    """Find the context that counts: one that is not weaker than what gives the address."""
    if asked:
        return asked, contexts.load(environ).named(asked)
    if address_given:
        return "", StoredContext()
    if wanted := environ.get(CONTEXT_VARIABLE):
        return wanted, contexts.load(environ).named(wanted)
    if environ.get(ADDRESS_VARIABLE):
        return "", StoredContext()
    stored = contexts.load(environ)
    return (
        (stored.current, stored.named(stored.current)) if stored.current else ("", StoredContext())
    )


def _filled(
    address: str | None,
    namespace: str | None,
    name: str,
    stored: StoredContext,
    *,
    tls: Tls | bool | None,
    token: Token | None,
    environ: Mapping[str, str],
) -> Settings:
    found = Settings(
        address=(
            address
            or environ.get(ADDRESS_VARIABLE)
            or ",".join(stored.addresses)
            or DEFAULT_ADDRESS
        ),
        namespace=(
            namespace or environ.get(NAMESPACE_VARIABLE) or stored.namespace or DEFAULT_NAMESPACE
        ),
        tls=_tls(environ, stored, given=tls),
        token=_token(token, environ, stored),
        context=name,
    )
    return _checked(found)


def _tls(
    environ: Mapping[str, str], stored: StoredContext, *, given: Tls | bool | None
) -> Tls | None:
    if isinstance(given, Tls):
        return given
    wanted = given
    if wanted is None:
        wanted = _flag(environ, TLS_VARIABLE)
    from_variables = any(
        environ.get(name)
        for name in (CA_FILE_VARIABLE, CERTIFICATE_FILE_VARIABLE, KEY_FILE_VARIABLE)
    )
    if wanted is None:
        wanted = True if from_variables else stored.wants_tls
    if not wanted:
        return None
    return Tls(
        ca_file=_file(environ, CA_FILE_VARIABLE) or stored.ca_file,
        certificate_file=_file(environ, CERTIFICATE_FILE_VARIABLE) or stored.certificate_file,
        key_file=_file(environ, KEY_FILE_VARIABLE) or stored.key_file,
        server_name=environ.get(SERVER_NAME_VARIABLE) or stored.server_name,
    )


def _flag(environ: Mapping[str, str], name: str) -> bool | None:
    text = environ.get(name, "").strip().lower()
    if not text:
        return None
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    raise InvalidSettings(f"{name} is {text!r}: write true or false")


def _file(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name)
    return Path(text).expanduser() if text else None


def _token(given: Token | None, environ: Mapping[str, str], stored: StoredContext) -> Token | None:
    text, file = environ.get(TOKEN_VARIABLE), _file(environ, TOKEN_FILE_VARIABLE)
    if given is None and text and file:
        raise InvalidSettings(f"give {TOKEN_VARIABLE} or {TOKEN_FILE_VARIABLE}, not both")
    return given or text or file or stored.token or stored.token_file


def _checked(found: Settings) -> Settings:
    check_addresses(found.addresses)
    if isinstance(found.token, str):
        check_token(found.token)
    if found.token is not None and found.tls is None and not only_loopback(found.addresses):
        raise InvalidSettings(
            f"a token is not sent in plaintext to {found.address}: connect with TLS "
            f"(--tls, {TLS_VARIABLE}=true), or leave the token out"
        )
    return found


def check_token(text: str) -> str:
    """Return a token that can travel in a header; never say what it was."""
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidSettings("the token is empty, or holds what a token cannot: take it anew")
    return token
