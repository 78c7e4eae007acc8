"""How dagctl ends: exit codes, and the sentence for each failure."""

from collections.abc import Mapping

from dagcatalog_client import errors

OK = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
CONFLICT = 4
UNAVAILABLE = 5
NOT_TRUSTED = 6
INTERRUPTED = 130
BROKEN_PIPE = 141
"""128 + SIGPIPE, as a shell reports a program that the reader of its output left."""

EPILOG = """\b
Exit codes:
    0  done
    1  the catalog refused or failed
    2  wrong usage, or wrong settings of the connection
    3  not found
    4  a precondition failed, or something else is there
    5  the catalog is unavailable, or gave no answer in time
    6  TLS failed, the caller is not known, or may not do that
  130  interrupted
  141  the reader of the output left: broken pipe
"""

_CODES: Mapping[type[errors.CatalogError], int] = {
    errors.NotFound: NOT_FOUND,
    errors.Conflict: CONFLICT,
    errors.TlsFailed: NOT_TRUSTED,
    errors.Unauthenticated: NOT_TRUSTED,
    errors.PermissionDenied: NOT_TRUSTED,
    errors.InvalidSettings: USAGE,
    errors.Unavailable: UNAVAILABLE,
    errors.DeadlineExceeded: UNAVAILABLE,
}

_ADVICE: Mapping[type[errors.CatalogError], str] = {
    errors.TlsFailed: "",
    errors.DatabaseUnavailable: "try again in a moment",
    errors.Unavailable: "start one with `dagcatalog serve`, or name another with --address",
    errors.DeadlineExceeded: "wait longer with --timeout, or look at its load",
    errors.PreconditionFailed: "read it again, then decide",
    errors.Unauthenticated: "give a token that holds, with --token-file or a context",
    errors.PermissionDenied: "ask who runs the catalog for the role that may",
    errors.VersionNotFound: "`dagctl history` lists the versions that are there",
    errors.OutOfRange: "`dagctl status` says which revisions can be read",
    errors.NotImplementedYet: "the server is older than this dagctl",
    errors.StorageFull: "give it more room, or prune old versions",
}


def exit_code(error: errors.CatalogError) -> int:
    """Return the exit code for an error of the catalog."""
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), FAILED)


def advice(error: errors.CatalogError) -> str:
    """Return one sentence: what happened, and what to try."""
    hint = next((text for kind, text in _ADVICE.items() if isinstance(error, kind)), "")
    hint = "; ".join(getattr(error, "__notes__", [])) or hint
    named = f" (request {error.request_id})" if isinstance(error, errors.InternalError) else ""
    return f"{error}{named}{'; ' if hint else ''}{hint}"
