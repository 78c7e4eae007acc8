"""Entry point of `dagcatalog`; says what to install when the server's extra is missing."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from dagcatalog_server.cli import cli  # noqa: PLC0415 - its imports are the extra
    except ModuleNotFoundError as error:
        sys.exit(f'dagcatalog needs {error.name}: pip install "dagcatalog[server]"')
    cli(prog_name="dagcatalog")


if __name__ == "__main__":
    main()
