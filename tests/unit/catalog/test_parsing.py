"""Parse reports: what they keep, clear and refuse."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.errors import CatalogError, InvalidArgument
from dagcatalog_server.catalog.listing import Page
from dagcatalog_server.catalog.model import ParseError, ParseErrorKind
from dagcatalog_server.catalog.parsing import (
    ParseFailure,
    ParseReport,
    ParseResult,
    check_report,
    shorten_middle,
)
from tests.support.writes import NOW
from tests.unit.catalog.conftest import WallClock

BROKEN = ParseFailure(ParseErrorKind.SYNTAX, "invalid syntax", "Traceback …", 7)


def report(*results: ParseResult, complete: bool = False, bundle: str = "bundle") -> ParseReport:
    return ParseReport("default", bundle, "v1", results, complete, "ann")


def failed(file: str, failure: ParseFailure = BROKEN) -> ParseResult:
    return ParseResult(file, failure)


def errors(catalog: Catalog, namespace: str | None = None) -> list[ParseError]:
    return list(catalog.list_parse_errors(namespace, "", Page()).errors)


def files(catalog: Catalog) -> list[str]:
    return [error.file for error in errors(catalog)]


def test_a_failure_is_kept_whole(catalog: Catalog) -> None:
    assert catalog.report_parse(report(failed("a.py"))) == 1
    assert errors(catalog) == [
        ParseError(
            namespace="default",
            bundle_name="bundle",
            bundle_version="v1",
            file="a.py",
            kind=ParseErrorKind.SYNTAX,
            message="invalid syntax",
            stack_trace="Traceback …",
            line=7,
            first_at=NOW,
            last_at=NOW,
            actor="ann",
        )
    ]


def test_a_failure_that_goes_on_keeps_its_beginning(
    catalog: Catalog, wall_clock: WallClock
) -> None:
    catalog.report_parse(report(failed("a.py")))
    wall_clock.advance(hours=1)
    other = replace(BROKEN, message="worse")
    assert catalog.report_parse(report(failed("a.py", other))) == 1
    [error] = errors(catalog)
    assert (error.message, error.last_at - error.first_at) == ("worse", timedelta(hours=1))


def test_a_file_that_parses_has_no_error_and_other_files_keep_theirs(catalog: Catalog) -> None:
    catalog.report_parse(report(failed("a.py"), failed("b.py")))
    assert catalog.report_parse(report(ParseResult("a.py"), failed("c.py"))) == 2
    assert files(catalog) == ["b.py", "c.py"]


def test_a_failure_that_comes_back_begins_anew(catalog: Catalog, wall_clock: WallClock) -> None:
    catalog.report_parse(report(failed("a.py")))
    catalog.report_parse(report(ParseResult("a.py")))
    later = wall_clock.advance(hours=1)
    catalog.report_parse(report(failed("a.py")))
    assert errors(catalog)[0].first_at == later


def test_a_complete_report_clears_files_that_are_gone(catalog: Catalog) -> None:
    catalog.report_parse(report(failed("a.py"), failed("b.py")))
    catalog.report_parse(report(failed("z.py"), bundle="other"))
    assert catalog.report_parse(report(failed("a.py"), ParseResult("c.py"), complete=True)) == 1
    assert files(catalog) == ["a.py", "z.py"]
    assert catalog.report_parse(report(complete=True)) == 0
    assert files(catalog) == ["z.py"]


def test_an_empty_report_that_is_not_complete_changes_nothing(catalog: Catalog) -> None:
    catalog.report_parse(report(failed("a.py")))
    assert catalog.report_parse(report()) == 1


def test_a_parse_report_is_no_revision(catalog: Catalog) -> None:
    catalog.report_parse(report(failed("a.py")))
    assert catalog.clock().revision == 0


def test_texts_are_cut_and_cleaned(catalog: Catalog) -> None:
    failure = ParseFailure(ParseErrorKind.IMPORT, "a\0" + "m" * 5_000, "s\0" + "t" * 100_000, -3)
    catalog.report_parse(report(failed("a.py", failure)))
    [error] = errors(catalog)
    assert error.message == "a\ufffd" + "m" * 3_998
    assert len(error.stack_trace) <= 64 * 1024
    assert error.stack_trace.startswith("s\ufffdt")
    assert "… (cut) …" in error.stack_trace
    assert error.line == 0


@pytest.mark.parametrize("size", [50, 51, 99, 100, 101, 1_000])
def test_the_middle_is_cut_and_both_ends_stay(size: int) -> None:
    text = "".join(chr(0x4E00 + number) for number in range(size))
    cut = shorten_middle(text, 100)
    assert len(cut) <= 100
    if size <= 100:
        assert cut == text
    else:
        head, tail = cut.split("\n… (cut) …\n")
        assert text.startswith(head)
        assert text.endswith(tail)
        assert min(len(head), len(tail)) > 40


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (replace(report(), namespace="NO"), "namespace"),
        (replace(report(), bundle_name="b" * 251), "bundle_name"),
        (replace(report(), bundle_version="\0"), "bundle_version"),
        (report(failed("a.py"), failed("")), "results[1].file"),
        (report(failed("a\0")), "results[0].file"),
        (report(failed("f" * 2_001)), "results[0].file"),
        (report(failed("a.py"), ParseResult("a.py")), "results[1].file"),
        (report(*(failed(str(number)) for number in range(1_001))), "results"),
    ],
)
def test_a_bad_report_is_refused(bad: ParseReport, field: str) -> None:
    with pytest.raises(CatalogError) as caught:
        check_report(bad)
    assert caught.value.details()["field"] == field


def test_errors_are_listed_in_pages(catalog: Catalog) -> None:
    names = [f"{number}.py" for number in range(7)]
    catalog.report_parse(report(*(failed(name) for name in names)))
    catalog.report_parse(replace(report(failed("x.py")), namespace="other"))
    found, token = [], ""
    while True:
        answer = catalog.list_parse_errors("default", "bundle", Page(3, token))
        assert answer.total == 7
        found += [error.file for error in answer.errors]
        token = answer.next_token
        if not token:
            break
    assert found == names
    assert len(errors(catalog)) == 8
    assert [one.file for one in errors(catalog, "other")] == ["x.py"]


def test_a_token_is_for_its_own_bundle(catalog: Catalog) -> None:
    catalog.report_parse(report(failed("a.py"), failed("b.py")))
    token = catalog.list_parse_errors("default", "bundle", Page(1)).next_token
    with pytest.raises(InvalidArgument):
        catalog.list_parse_errors(None, "bundle", Page(1, token))
