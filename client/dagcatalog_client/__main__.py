"""`dagctl`, and `python -m dagcatalog_client`."""

import sys

_EXTRA = {"click", "rich", "yaml"}


def main() -> None:
    """Run dagctl; say what to install if its extra is missing."""
    try:
        from dagcatalog_client.cli.app import run  # noqa: PLC0415 - the extra may be missing
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.exit('dagctl needs the extra "cli": pip install "dagcatalog[cli]"')
    sys.exit(run())


if __name__ == "__main__":
    main()
