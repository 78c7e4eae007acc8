"""The program `dagctl`, which is `dagcatalog_client.cli`.

It has a place of its own because grpc reads how much to say while it is imported, and the package
of the client imports it.
"""

import os


def main() -> None:
    """Run dagctl: what grpc has to say of a connection, dagctl says in a sentence."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from dagcatalog_client.__main__ import main as run  # noqa: PLC0415 - see above

    run()
