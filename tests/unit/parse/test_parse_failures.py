"""A failure names what is wrong, and the line of the DAG file, not of a library."""

import pytest

from dagcatalog_client.parse import documents, failures
from dagcatalog_client.parse.model import Failure, FailureKind, FileOutcome, ParsedDag, Verdict

TRACE = """Traceback (most recent call last):
  File "/lib/importer.py", line 238, in parse
    loader.exec_module(new_module)
  File "/dags/a.py", line 7, in <module>
    connect()
  File "/lib/db.py", line 99, in connect
    raise errors.Refused("no route\\nto host")
lib.errors.Refused: no route
to host
"""


def test_the_line_is_the_dag_files_own() -> None:
    failure = failures.from_traceback(TRACE, "/dags/a.py")
    assert failure == Failure(FailureKind.IMPORT, "Refused: no route", TRACE, 7)


def test_a_syntax_error_of_an_imported_module_is_an_import_error() -> None:
    trace = TRACE + '  File "/dags/b.py", line 1\nSyntaxError: invalid syntax\n'
    assert failures.from_traceback(trace, "/dags/a.py", source="x = 1").kind is FailureKind.IMPORT


@pytest.mark.parametrize(
    ("last_line", "kind"),
    [
        ("SystemExit: 3", FailureKind.CRASH),
        ("SystemExit", FailureKind.CRASH),
        ("MemoryError", FailureKind.MEMORY),
        ("KeyError: 'SystemExit'", FailureKind.IMPORT),
        ("jinja2.exceptions.TemplateSyntaxError: x", FailureKind.IMPORT),
    ],
)
def test_the_exception_decides_the_kind(last_line: str, kind: FailureKind) -> None:
    trace = f'Traceback (most recent call last):\n  File "/dags/a.py", line 2\n{last_line}\n'
    assert failures.from_traceback(trace, "/dags/a.py").kind is kind


def test_a_death_for_lack_of_memory_is_a_memory_failure() -> None:
    verdict = Verdict(signal=6, output="terminate called: std::bad_alloc")
    failure = failures.from_verdict(verdict, "/dags/a.py", answered=False)
    assert failure is not None
    assert failure.kind is FailureKind.MEMORY


def test_an_answer_followed_by_a_clean_end_is_no_failure() -> None:
    assert failures.from_verdict(Verdict(exit_code=0), "/dags/a.py", answered=True) is None


def test_several_failures_become_one_that_names_all() -> None:
    one = Failure(FailureKind.SERIALIZE, "a is wrong", "trace a", 3)
    two = Failure(FailureKind.IMPORT, "b is wrong")
    whole = failures.together([one, two])
    assert whole == Failure(
        FailureKind.SERIALIZE, "2 failures: a is wrong; b is wrong", "trace a", 3
    )
    assert failures.together([]) is None


def test_long_traces_lose_their_middle() -> None:
    cut = failures.cut_middle("start" + "é" * 70_000 + "end")
    assert len(cut.encode()) <= failures.MAX_TRACE_BYTES
    assert cut.startswith("start")
    assert cut.endswith("end")
    assert failures.cut_middle("short") == "short"


def test_a_document_is_taken_as_it_is() -> None:
    data = b'{ "__version": 3, "dag": {"dag_id": "a", "n": 1e400, "big": 18446744073709551617}}'
    assert documents.read(data) == FileOutcome(dags=(ParsedDag("a", data),))


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"{\n\n x", 3),
        (b"[" * 100_000, 0),
        (b"\xff", 0),
        (b"[]", 0),
        (b'{"dag": {"dag_id": 3}}', 0),
        (b"", 1),
    ],
)
def test_another_file_is_a_failure(data: bytes, line: int) -> None:
    failure = documents.read(data).failure
    assert failure is not None
    assert failure.kind is FailureKind.SYNTAX
    assert failure.line == line


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [0, {"b": float("nan")}]}, "a[1].b"),
        ({"a": "\ud800"}, "a"),
        ({"a": {1, 2}}, "a"),
        ({"a": {"\ud800": 1}}, "a(key)"),
    ],
)
def test_what_is_no_json_is_named_by_path(value: object, path: str) -> None:
    with pytest.raises(documents.NotJson) as caught:
        documents.dump(value)
    assert caught.value.path == path


def test_what_is_json_is_dumped_exactly() -> None:
    assert documents.dump({"é": ["\x00", 2**70, 1.5, None]}) == (
        b'{"\xc3\xa9":["\\u0000",1180591620717411303424,1.5,null]}'
    )
