"""Put, PutBatch, Delete, Restore, Rollback, ReportParse: what changes the catalog."""

from google.protobuf.message import Message

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.difference import Difference
from dagcatalog_server.catalog.errors import InvalidArgument, TooLarge
from dagcatalog_server.catalog.model import DagKey, Position
from dagcatalog_server.catalog.names import check_key, check_namespace
from dagcatalog_server.catalog.writes import (
    DagOutcome,
    DeleteOperation,
    Operation,
    PutOperation,
    RestoreOperation,
    RollbackOperation,
    Write,
    WriteOutcome,
    check_write,
    prepare_batch,
    prepare_put,
)
from dagcatalog_server.rpc import answers, requests
from dagcatalog_server.rpc.call import Call
from dagcatalog_server.rpc.differences import difference
from dagcatalog_server.rpc.group_commit import GroupCommit
from dagcatalog_server.rpc.summaries import encoded_summary
from dagcatalog_server.rpc.threads import Threads
from dagcatalog_server.rpc.wire import field

# A document so small is checked and hashed in less time than the hop to a thread and back takes.
QUICK_DOCUMENT_BYTES = 4 * 1024


# Numbers of fields: of PutResponse and RollbackResponse, of PutBatchResponse, of PutResult.
_RESULT = 1
_RESULTS, _DELETED = 1, 2
_SUMMARY = 2


class WritingMethods:
    """The writing half of the service."""

    def __init__(
        self,
        catalog: Catalog,
        threads: Threads,
        group_commit: GroupCommit,
    ) -> None:
        self._catalog = catalog
        self._threads = threads
        self._group_commit = group_commit

    async def put(self, request: pb.PutRequest, call: Call) -> bytes:
        """Store one DAG."""
        if len(request.item.document) <= QUICK_DOCUMENT_BYTES:
            write = self._prepare_put(request, call.actor)
        else:
            write = await self._threads.check(self._prepare_put, request, call.actor)
        outcome = await self._write(write)
        answer = pb.PutResponse(position=self._position(outcome))
        if write.validate_only and (found := await self._threads.call(self._difference, write)):
            answer.difference.CopyFrom(difference(found))
        return field(_RESULT, _put_result(outcome.operations[0])) + answer.SerializeToString()

    async def put_batch(self, request: pb.PutBatchRequest, call: Call) -> bytes:
        """Store several DAGs in one revision."""
        write = await self._threads.check(self._prepare_batch, request, call.actor)
        outcome = await self._write(write)
        answer = pb.PutBatchResponse(position=self._position(outcome)).SerializeToString()
        results = [field(_RESULTS, _put_result(one)) for one in outcome.operations]
        gone = [field(_DELETED, encoded_summary(one.change)) for one in outcome.deleted]
        return b"".join((*results, *gone, answer))

    async def delete(self, request: pb.DeleteRequest, call: Call) -> pb.DeleteResponse:
        """Set a tombstone."""
        key = check_key(request.namespace, request.dag_id)
        operation = DeleteOperation(key, request.reason, requests.precondition(request))
        outcome = await self._write(_single(key, operation, request, call))
        change = outcome.operations[0].change
        return pb.DeleteResponse(
            summary=answers.summary(change.revision, change.state),
            position=self._position(outcome),
        )

    async def restore(self, request: pb.RestoreRequest, call: Call) -> pb.RestoreResponse:
        """Take a tombstone away."""
        key = check_key(request.namespace, request.dag_id)
        outcome = await self._write(_single(key, RestoreOperation(key), request, call))
        change = outcome.operations[0].change
        return pb.RestoreResponse(
            summary=answers.summary(change.revision, change.state),
            position=self._position(outcome),
        )

    async def rollback(self, request: pb.RollbackRequest, call: Call) -> bytes:
        """Put an old version back as a new one."""
        key = check_key(request.namespace, request.dag_id)
        operation = RollbackOperation(
            key, request.version, request.reason, requests.precondition(request)
        )
        outcome = await self._write(_single(key, operation, request, call))
        answer = pb.RollbackResponse(position=self._position(outcome)).SerializeToString()
        return field(_RESULT, _put_result(outcome.operations[0])) + answer

    async def report_parse(
        self, request: pb.ReportParseRequest, call: Call
    ) -> pb.ReportParseResponse:
        """Replace parse errors of files."""
        report = requests.parse_report(request, call.actor)
        count = await self._threads.commit(self._catalog.report_parse, report)
        return pb.ReportParseResponse(error_count=count)

    def _difference(self, write: Write) -> Difference | None:
        operation = write.operations[0]
        if not isinstance(operation, PutOperation):
            return None
        return self._catalog.diff_with_head(operation.key, operation.document.raw)

    async def _write(self, write: Write) -> WriteOutcome:
        check_write(write)
        if write.validate_only:
            return await self._threads.call(self._catalog.rehearse, write)
        return await self._group_commit.submit(write)

    def _prepare_put(self, request: pb.PutRequest, actor: str) -> Write:
        namespace = check_namespace(request.namespace)
        try:
            operation = prepare_put(
                namespace, requests.put_item(request.item), self._catalog.limits
            )
        except (InvalidArgument, TooLarge) as error:
            raise error.within("item") from error
        return Write(
            namespace=namespace,
            actor=actor,
            operations=(operation,),
            request_id=request.request_id,
            fingerprint=_fingerprint(request.request_id, request),
            validate_only=request.validate_only,
        )

    def _prepare_batch(self, request: pb.PutBatchRequest, actor: str) -> Write:
        namespace = check_namespace(request.namespace)
        file = requests.replaced_file(request)
        if not request.items and not file:
            raise InvalidArgument("items", "must not be empty without `replace`")
        items = [requests.put_item(one, default_source=request) for one in request.items]
        return Write(
            namespace=namespace,
            actor=actor,
            operations=prepare_batch(namespace, items, self._catalog.limits, file=file),
            replace=file,
            request_id=request.request_id,
            fingerprint=_fingerprint(request.request_id, request),
            validate_only=request.validate_only,
        )

    @staticmethod
    def _position(outcome: WriteOutcome) -> res.Position:
        """Tell where a write left the catalog, or where a rehearsal met it."""
        return answers.position(Position(outcome.epoch, outcome.revision))


def _single(
    key: DagKey,
    operation: Operation,
    request: pb.DeleteRequest | pb.RestoreRequest | pb.RollbackRequest,
    call: Call,
) -> Write:
    return Write(
        namespace=key.namespace,
        actor=call.actor,
        operations=(operation,),
        request_id=request.request_id,
        fingerprint=_fingerprint(request.request_id, request),
    )


def _put_result(outcome: DagOutcome) -> bytes:
    """Encode a PutResult around the summary that the heads and the watches share."""
    told = pb.PutResult(outcome=answers.put_outcome(outcome)).SerializeToString()
    return told + field(_SUMMARY, encoded_summary(outcome.change))


def _fingerprint(request_id: str, request: Message) -> str:
    return requests.fingerprint(request) if request_id else ""
