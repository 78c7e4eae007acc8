"""Commands out of the pages of the documentation."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```([\w ]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    heading: str
    """The heading that it stands under."""
    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """Read the fenced blocks of a page below docs/."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    found = []
    for fence in _FENCE.finditer(text):
        headings = re.findall(r"^#+ (.+)$", _without_fences(text[: fence.start()]), re.MULTILINE)
        found.append(Block(headings[-1], fence[1], fence[2]))
    return found


def commands(block: Block) -> list[str]:
    """Split a block into its commands; a line that ends with a backslash goes on."""
    joined = re.sub(r"\\\n\s*", "", block.text)
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def _without_fences(text: str) -> str:
    return _FENCE.sub("", text)
