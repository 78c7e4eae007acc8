"""ReportParse and ListParseErrors: import errors travel the same road as DAGs."""

from typing import Any

import pytest
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.wire import Api, refusal_of, revision

# A number that the enum does not have: a newer client may send one.
STRANGE: Any = 99


def _failed(file: str, message: str = "broken", **more: Any) -> pb.ParseResult:
    failure = pb.ParseFailure(kind=res.PARSE_ERROR_KIND_SYNTAX, message=message, **more)
    return pb.ParseResult(file=file, failure=failure)


def _parsed(file: str) -> pb.ParseResult:
    return pb.ParseResult(file=file)


def _report(namespace: str, *results: pb.ParseResult, **more: Any) -> pb.ReportParseRequest:
    return pb.ReportParseRequest(namespace=namespace, results=results, **more)


async def _errors(api: Api, namespace: str, **more: Any) -> list[res.ParseError]:
    request = pb.ListParseErrorsRequest(namespace=namespace, **more)
    errors: list[res.ParseError] = []
    while True:
        page = await api.ListParseErrors(request)
        errors += page.errors
        if not page.next_page_token:
            assert page.total_size == len(errors)
            return errors
        request.page_token = page.next_page_token


async def test_an_error_lasts_until_its_file_parses(api: Api, namespace: str) -> None:
    before = await revision(api)
    failed = _failed("a.py", "line 3 is wrong", stack_trace="Traceback", line=3)
    answer = await api.ReportParse(
        _report(namespace, failed, _failed("b.py"), bundle_name="git", bundle_version="v1")
    )
    assert answer.error_count == 2
    first, second = await _errors(api, namespace)
    assert (first.file, second.file) == ("a.py", "b.py")
    assert (first.kind, first.message, first.line) == (
        res.PARSE_ERROR_KIND_SYNTAX,
        "line 3 is wrong",
        3,
    )
    assert (first.stack_trace, first.bundle_name, first.bundle_version) == (
        "Traceback",
        "git",
        "v1",
    )
    await api.ReportParse(_report(namespace, _failed("a.py", "still"), bundle_name="git"))
    again = (await _errors(api, namespace))[0]
    assert (again.message, again.first_time) == ("still", first.first_time)
    assert again.last_time.ToNanoseconds() >= first.last_time.ToNanoseconds()
    answer = await api.ReportParse(_report(namespace, _parsed("a.py"), bundle_name="git"))
    assert answer.error_count == 1
    assert [one.file for one in await _errors(api, namespace)] == ["b.py"]
    assert await revision(api) == before  # parse errors are no changes of DAGs


async def test_a_complete_report_clears_files_that_are_gone(api: Api, namespace: str) -> None:
    await api.ReportParse(_report(namespace, _failed("a.py"), _failed("b.py")))
    await api.ReportParse(_report(namespace, _failed("other.py"), bundle_name="other"))
    answer = await api.ReportParse(_report(namespace, _failed("b.py"), complete=True))
    assert answer.error_count == 1
    files = [(one.bundle_name, one.file) for one in await _errors(api, namespace)]
    assert files == [("", "b.py"), ("other", "other.py")]


async def test_errors_are_paged_and_filtered(api: Api, namespace: str) -> None:
    files = [f"{number}.py" for number in range(5)]
    await api.ReportParse(_report(namespace, *map(_failed, files), bundle_name="one"))
    await api.ReportParse(_report(namespace, _failed("x.py"), bundle_name="two"))
    paged = await _errors(api, namespace, bundle_name="one", page_size=2)
    assert [one.file for one in paged] == files
    assert len(await _errors(api, namespace)) == 6
    everywhere = await _errors(api, "-", page_size=1000)
    assert len([one for one in everywhere if one.namespace == namespace]) == 6


async def test_long_texts_are_cut_and_nul_is_replaced(api: Api, namespace: str) -> None:
    trace = "first\n" + "x" * 100_000 + "\nlast"
    await api.ReportParse(_report(namespace, _failed("a.py", "m\0" * 4_000, stack_trace=trace)))
    (error,) = await _errors(api, namespace)
    assert len(error.message) == 4_000
    assert "\0" not in error.message
    assert len(error.stack_trace) <= 64 * 1024
    assert error.stack_trace.startswith("first")
    assert error.stack_trace.endswith("last")


@pytest.mark.parametrize(
    ("field", "results"),
    [
        ("results[0].file", [_failed("")]),
        ("results[1].file", [_failed("a.py"), _parsed("a.py")]),
        ("results[0].file", [_parsed("a\0.py")]),
        (
            "results[0].failure.kind",
            [pb.ParseResult(file="a.py", failure=pb.ParseFailure(kind=STRANGE))],
        ),
    ],
)
async def test_a_wrong_report_is_named(
    api: Api, namespace: str, field: str, results: list[pb.ParseResult]
) -> None:
    refusal = await refusal_of(api.ReportParse(_report(namespace, *results)))
    assert (refusal.code, refusal.fields) == (StatusCode.INVALID_ARGUMENT, [field])
    crowd = _report(namespace, *[_parsed("a.py")] * 1001)
    assert (await refusal_of(api.ReportParse(crowd))).fields == ["results"]
    assert await _errors(api, namespace) == []


async def test_status_counts_what_is_there(api: Api, namespace: str) -> None:
    await api.ReportParse(_report(namespace, _failed("a.py")))
    told = await api.Status(pb.StatusRequest())
    (mine,) = [one for one in told.namespaces if one.namespace == namespace]
    assert (mine.dag_count, mine.parse_error_count) == (0, 1)
