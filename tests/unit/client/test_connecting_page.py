"""The pages about dagctl and connecting name what there is."""

import re

from dagcatalog_client import contexts, settings
from dagcatalog_client.cli import exits
from tests.support.pages import ROOT


def test_the_page_names_every_variable() -> None:
    page = (ROOT / "docs/reference/connecting.md").read_text("utf-8")
    variables = {value for name, value in vars(settings).items() if name.endswith("_VARIABLE")}
    assert set(re.findall(r"DAGCATALOG_[A-Z_]+", page)) == variables | {contexts.FILE_VARIABLE}


def test_every_exit_code_is_told_in_the_help_and_on_the_page() -> None:
    codes = {value for value in vars(exits).values() if isinstance(value, int)}
    told = re.findall(r"^ +(\d+)  \w", exits.EPILOG, re.MULTILINE)
    assert {int(code) for code in told} == codes
    page = (ROOT / "docs/reference/dagctl.md").read_text("utf-8")
    assert re.findall(r"^\| (\d+) \| \w", page, re.MULTILINE) == told
