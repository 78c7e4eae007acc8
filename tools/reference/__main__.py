"""`python -m tools.reference` writes the pages; with `--check` it says which ones are not as written."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.reference import client, contract, dagctl

ROOT = Path(__file__).resolve().parents[2]
PAGES: Mapping[str, Callable[[], str]] = {
    "docs/reference/dagctl.md": dagctl.page,
    "docs/reference/python-client.md": client.page,
    "docs/reference/api.md": lambda: contract.page(ROOT),
}
NOTE = "<!-- Written by `make reference`; change the {source}, not this page. -->\n\n"
SOURCES = {"dagctl": "commands", "python-client": "docstrings", "api": "comments of the contract"}


def main() -> int:
    """Write or check every page."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true")
    check = arguments.parse_args().check
    stale = []
    for name, make in PAGES.items():
        path = ROOT / name
        text = NOTE.format(source=SOURCES[path.stem]) + make().rstrip() + "\n"
        if not check:
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            stale.append(name)
    if stale:
        print(f"{', '.join(stale)}: not what `make reference` writes", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
