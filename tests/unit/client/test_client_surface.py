"""What the package offers: its names, the parity of its two clients, its lightness."""

import inspect
import re
import subprocess
import sys

import pytest

import dagcatalog_client
from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_client import AsyncClient, AsyncInformer, Client, Informer
from dagcatalog_client.shells.aio_watch import AsyncWatch
from dagcatalog_client.shells.sync_watch import Watch

PUBLIC = [
    "AsyncClient",
    "AsyncInformer",
    "AsyncWatch",
    "BatchResult",
    "BatchedDag",
    "BlobCorrupt",
    "Bookmark",
    "Cancelled",
    "CatalogError",
    "Change",
    "ChangeClass",
    "ChangeKind",
    "ChangeSet",
    "Client",
    "ClientClosed",
    "Conflict",
    "Consistency",
    "ConsumerNotFound",
    "ConsumerStatus",
    "ContentNotFound",
    "CorruptBlob",
    "Dag",
    "DagFilter",
    "DagNotFound",
    "DagPage",
    "DagProfile",
    "DagSelector",
    "DagSummary",
    "DagVersion",
    "DagView",
    "DatabaseUnavailable",
    "DeadlineExceeded",
    "DeletedFilter",
    "Dependency",
    "Diff",
    "Difference",
    "DifferenceKind",
    "Document",
    "EdgeDifference",
    "FieldDifference",
    "ForkedChild",
    "ImpactedDag",
    "Informer",
    "InternalError",
    "InvalidArgument",
    "InvalidSettings",
    "LimitExceeded",
    "NamespaceStatus",
    "NotDeleted",
    "NotFound",
    "NotImplementedYet",
    "NotSynced",
    "OtherEpoch",
    "OutOfRange",
    "ParseError",
    "ParseErrorKind",
    "ParseFailure",
    "ParseResult",
    "PermissionDenied",
    "Position",
    "Precondition",
    "PreconditionFailed",
    "Propagation",
    "Provenance",
    "PruneResult",
    "PutItem",
    "PutOutcome",
    "PutResult",
    "ReplaceFile",
    "RequestIdReused",
    "RevisionCompacted",
    "RevisionInFuture",
    "Schedule",
    "ScheduleKind",
    "StatePage",
    "Status",
    "StorageFull",
    "TaskDifference",
    "Tls",
    "TlsFailed",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "VerifyProgress",
    "VersionNotFound",
    "Watch",
    "WatchEvent",
    "WatcherTooSlow",
    "WriteResult",
    "__version__",
]

CALLS = [
    "put",
    "put_batch",
    "delete",
    "restore",
    "report_parse",
    "get",
    "get_batch",
    "diff",
    "status",
    "list",
    "list_page",
    "list_versions",
    "list_parse_errors",
    "watch",
    "dependencies",
    "impact",
    "acknowledge",
    "await_propagation",
]


def test_the_exported_names_are_these() -> None:
    assert sorted(dagcatalog_client.__all__) == sorted(PUBLIC)
    assert all(hasattr(dagcatalog_client, name) for name in PUBLIC)


def test_both_clients_have_the_same_names() -> None:
    assert _public(Client) == _public(AsyncClient)
    assert set(CALLS) <= _public(Client)
    assert _public(Watch) == _public(AsyncWatch)


@pytest.mark.parametrize("name", [*CALLS, "__init__", "close", "forget_position"])
def test_both_clients_take_the_same_arguments(name: str) -> None:
    blocking = inspect.signature(getattr(Client, name))
    waiting = inspect.signature(getattr(AsyncClient, name))
    assert list(blocking.parameters.values()) == list(waiting.parameters.values())
    assert _as_sync(str(waiting.return_annotation)) == str(blocking.return_annotation)


@pytest.mark.parametrize("name", CALLS)
def test_both_clients_say_the_same_of_a_call(name: str) -> None:
    waiting = inspect.getdoc(getattr(AsyncClient, name)) or ""
    assert _as_sync(waiting) == inspect.getdoc(getattr(Client, name))


@pytest.mark.parametrize("name", CALLS)
def test_every_call_has_a_deadline_and_an_example(name: str) -> None:
    call = getattr(Client, name)
    assert inspect.signature(call).parameters["timeout_s"].kind is inspect.Parameter.KEYWORD_ONLY
    assert "```python" in (inspect.getdoc(call) or "")


INFORMER_CALLS = ["start", "close", "wait_for_sync", "wait_for", "get", "by_hash"]


def test_both_informers_have_the_same_names() -> None:
    assert _public(Informer) == _public(AsyncInformer)
    assert set(INFORMER_CALLS) <= _public(Informer)


@pytest.mark.parametrize("name", [*INFORMER_CALLS, "__init__"])
def test_both_informers_take_the_same_arguments_and_say_the_same(name: str) -> None:
    blocking, waiting = getattr(Informer, name), getattr(AsyncInformer, name)
    arguments, others = (
        list(inspect.signature(one).parameters.values()) for one in (blocking, waiting)
    )
    if name == "__init__":
        arguments, others = arguments[2:], others[2:]  # the client is another
    assert arguments == others
    told = inspect.signature(waiting).return_annotation
    assert told == inspect.signature(blocking).return_annotation
    assert _as_sync(inspect.getdoc(waiting) or "") == (inspect.getdoc(blocking) or "")


def test_importing_the_client_imports_neither_the_tool_nor_the_server() -> None:
    program = (
        "import sys, logging, dagcatalog_client;"
        "heavy = {'click', 'rich', 'yaml', 'dagcatalog_server', 'sqlalchemy'} & set(sys.modules);"
        "assert not heavy, heavy;"
        "assert logging.getLogger().handlers == []"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_dagctl_without_its_extra_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['rich'] = None\n"
        "from dagcatalog_client.__main__ import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == 'dagctl needs the extra "cli": pip install "dagcatalog[cli]"\n'


def _public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def _as_sync(text: str) -> str:
    text = re.sub(r"\(await (client\.\w+\([^()]*\))\)\.", r"\1.", text)
    text = re.sub(r"await (client|informer)\.", r"\1.", text)
    text = re.sub(r"\b(await|async) ", "", text)
    return re.sub(r"Async(Iterator|Watch)", r"\1", text).replace("aio_watch", "sync_watch")


def test_every_rpc_of_the_contract_has_a_call() -> None:
    methods = pb.DESCRIPTOR.services_by_name["CatalogService"].methods
    named = {each.name: re.sub(r"(?<!^)([A-Z])", r"_\1", each.name).lower() for each in methods}
    assert not {rpc for rpc, call in named.items() if call not in _public(Client)}
