"""What grpc says of a connection that did not come about, in words that say what to try.

grpc has one status for all of it, UNAVAILABLE, and hides the reason in its details. The phrases
below are those of grpcio 1.62 to 1.85; one that is not known is passed on as it is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dagcatalog_client import errors


@dataclass(frozen=True, slots=True)
class _Sign:
    phrases: Sequence[str]
    sentence: str
    """`{address}` and `{cause}` are filled in."""
    kind: type[errors.CatalogError] = errors.TlsFailed


_SIGNS = (
    _Sign(
        ("certificate has expired", "CERTIFICATE_EXPIRED"),
        "a certificate of the connection to {address} has expired: renew it",
    ),
    _Sign(
        ("CERTIFICATE_VERIFY_FAILED",),
        "the certificate of {address} is not trusted ({cause}): name the authority that signed it "
        "with ca_file",
    ),
    _Sign(
        ("Hostname Verification Check failed", "is not in peer certificate"),
        "the certificate of {address} is for another host name: connect by a name that it holds, "
        "or give that as server_name",
    ),
    _Sign(
        ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"),
        "{address} does not speak TLS: connect without it",
    ),
    _Sign(
        ("TSI_DATA_CORRUPTED", "Unwrap failed", "CERTIFICATE_REQUIRED", "TLSV1_ALERT", "BAD_CERT"),
        "{address} refused the client's part in TLS: it asks for a client certificate that it "
        "trusts, in certificate_file and key_file",
    ),
    _Sign(
        ("missing selected ALPN",),
        "{address} speaks TLS, but not HTTP/2: is a gRPC server there?",
    ),
    _Sign(
        ("security handshaker", "Empty subchannel", "Invalid private key", "KEY_VALUES_MISMATCH"),
        "the certificates for {address} cannot be used: do certificate_file and key_file belong "
        "together, and does ca_file hold a certificate?",
    ),
    _Sign(
        ("errors resolving", "DNS resolution failed", "Domain name not found", "not known"),
        "the name in {address} cannot be resolved: is it right, and is the name server there?",
        errors.Unavailable,
    ),
    _Sign(
        ("http1.x server", "HTTP/1"),
        "{address} is a web server and no gRPC one: is the port right?",
        errors.Unavailable,
    ),
    _Sign(
        ("Getting metadata from plugin failed",),
        "{cause}",
        errors.InvalidSettings,
    ),
    _Sign(
        ("is neither UDS or TCP loopback",),
        "a token is not sent in plaintext to {address}: connect with TLS, or leave it out",
        errors.InvalidSettings,
    ),
)
_CLOSED = ("Connection reset by peer", "Socket closed", "Broken pipe", "End of TCP stream")
_CLOSED_HINT = (
    " (a server with TLS closes so on a client without it, or without the certificate it asks for)"
)


def read(said: str, address: str) -> tuple[type[errors.CatalogError], str]:
    """Return the kind of failure and one sentence for the details of an UNAVAILABLE."""
    for sign in _SIGNS:
        if any(phrase in said for phrase in sign.phrases):
            return sign.kind, sign.sentence.format(address=address, cause=_cause(said))
    cause = _cause(said) or "the connection broke"
    hint = _CLOSED_HINT if cause in _CLOSED else ""
    return errors.Unavailable, f"no catalog answers at {address}: {cause}{hint}"


def _cause(said: str) -> str:
    """Cut what grpc wraps around the word of the system, `Connection refused` for instance."""
    said = said.removeprefix("Getting metadata from plugin failed with error: ")
    if "CERTIFICATE_VERIFY_FAILED" in said:
        reason = said.partition("CERTIFICATE_VERIFY_FAILED: ")[2].removesuffix(": OK")
        said = reason or "it is not signed by who is trusted, or has expired"
    elif not said.startswith("/"):
        said = said.rpartition(": ")[2]
    return re.sub(r"^recvmsg:|\s*\(\d+\)$", "", said)
