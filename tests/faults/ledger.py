"""What a catalog must hold after a stream of writes, told by their answers alone.

Every revision must be the whole of exactly one write, and must say what the contract says that this
write does to the state before it. So a lost write, half of one, one that was done twice and a gap
are all the same failure: a revision whose write does not explain it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.dags import dag_document
from tests.support.wire import canonical

BUNDLE = "faults"
Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Content:
    """A small DAG: `text` decides its definition, `folder` only where it was parsed."""

    dag_id: str
    text: str
    folder: str = "dags"

    @property
    def file(self) -> str:
        """DAGs of the same letter are of one file."""
        return f"{self.dag_id[0]}.py"

    def document(self) -> bytes:
        made = dag_document(self.dag_id, description=self.text)
        made["dag"]["fileloc"] = f"/{self.folder}/{self.file}"  # type: ignore[index] # a document is JSON
        return canonical(made)

    def item(self) -> pb.PutItem:
        place = res.Provenance(bundle_name=BUNDLE, file=self.file)
        return pb.PutItem(dag_id=self.dag_id, document=self.document(), provenance=place)


@dataclass(frozen=True)
class Write:
    """One write: puts, of the whole file if `replace` names it, or the deletion of one DAG."""

    request_id: str
    namespace: str
    puts: tuple[Content, ...] = ()
    replace: str = ""
    delete: str = ""


@dataclass(frozen=True)
class Head:
    """What the catalog must say of a DAG."""

    content: Content
    version: int
    delete_reason: str = ""

    @property
    def deleted(self) -> bool:
        return bool(self.delete_reason)


@dataclass(frozen=True)
class Told:
    """A change: what happened, to which DAG, and what it is now."""

    kind: int
    key: Key
    version: int
    content_hash: str
    delete_reason: str


Answer: TypeAlias = pb.PutResponse | pb.PutBatchResponse | pb.DeleteResponse


@dataclass
class Ledger:
    """Claims of acknowledged writes, and the state that the revisions checked so far make."""

    revision: int = 0
    """The last that was checked."""
    heads: dict[Key, Head] = field(default_factory=dict)
    summaries: dict[Key, res.DagSummary] = field(default_factory=dict)
    contents: dict[Key, Content] = field(default_factory=dict)
    """Whatever was written, by namespace and content hash."""
    _claims: dict[int, tuple[Write, Answer]] = field(default_factory=dict)

    def acknowledge(self, write: Write, answer: Answer) -> int:
        """Note an answer; tell the revision that the write made, 0 if it had nothing to write."""
        revision = answer.position.revision
        sent = [hashlib.sha256(one.document()).hexdigest() for one in write.puts]
        assert [one.summary.content_hash for one in put_results(answer)] == sent
        if not written_summaries(answer):
            return 0
        assert revision > self.revision, f"{write} claims {revision}, which has its write"
        other, _ = self._claims.setdefault(revision, (write, answer))
        assert other == write, f"{other} and {write} both claim revision {revision}"
        return revision

    def check(self, events: Sequence[pb.WatchResponse]) -> None:
        """Check the events of a watch from the last checked revision to the present."""
        for event in events:
            self.revision += 1
            assert event.position.revision == self.revision, "a gap, or a revision twice"
            assert self.revision in self._claims, f"nobody has written {event}"
            write, answer = self._claims.pop(self.revision)
            self._check_revision(write, answer, event)
        assert not self._claims, f"lost: {self._claims}"

    def _check_revision(self, write: Write, answer: Answer, event: pb.WatchResponse) -> None:
        changes = event.change_set.changes
        assert [(one.revision, one.ordinal) for one in changes] == [
            (self.revision, ordinal) for ordinal in range(len(changes))
        ]
        told = [_told(one) for one in changes]
        expected = self._apply(write)
        assert told == expected, f"revision {self.revision} of {write}:\n{told}\nnot\n{expected}"
        self.summaries.update((_key(one.dag.summary), one.dag.summary) for one in changes)
        for summary in written_summaries(answer):
            assert summary == self.summaries[_key(summary)], "the answer said something else"

    def _apply(self, write: Write) -> list[Told]:
        """Do what a write does; tell the changes that it makes."""
        told = [one for put in write.puts if (one := self._put(write.namespace, put))]
        if write.replace:
            kept = {put.dag_id for put in write.puts}
            reason = f"no longer in {write.replace}"
            told += [self._delete(key, reason) for key in self._others(write, kept)]
        if write.delete:
            told.append(self._delete((write.namespace, write.delete), write.request_id))
        return told

    def _others(self, write: Write, kept: set[str]) -> list[Key]:
        return [
            key
            for key, head in sorted(self.heads.items())
            if key[0] == write.namespace and head.content.file == write.replace
            if not head.deleted and key[1] not in kept
        ]

    def _put(self, namespace: str, content: Content) -> Told | None:
        key = (namespace, content.dag_id)
        head = self.heads.get(key)
        if head is None:
            return self._set(key, res.CHANGE_KIND_CREATED, Head(content, 1))
        if head.content.text != content.text:
            kinds = (res.CHANGE_KIND_NEW_VERSION, res.CHANGE_KIND_CREATED)
            return self._set(key, kinds[head.deleted], Head(content, head.version + 1))
        if head.deleted:
            return self._set(key, res.CHANGE_KIND_RESTORED, Head(content, head.version))
        if head.content == content:
            return None
        return self._set(key, res.CHANGE_KIND_REFRESHED, Head(content, head.version))

    def _delete(self, key: Key, reason: str) -> Told:
        head = self.heads[key]
        assert not head.deleted, f"{key} was deleted twice"
        return self._set(key, res.CHANGE_KIND_DELETED, Head(head.content, head.version, reason))

    def _set(self, key: Key, kind: int, head: Head) -> Told:
        self.heads[key] = head
        content_hash = hashlib.sha256(head.content.document()).hexdigest()
        self.contents[key[0], content_hash] = head.content
        return Told(kind, key, head.version, content_hash, head.delete_reason)


def put_results(answer: Answer) -> list[pb.PutResult]:
    """What became of each put, in order."""
    match answer:
        case pb.PutResponse():
            return [answer.result]
        case pb.PutBatchResponse():
            return list(answer.results)
    return []


def written_summaries(answer: Answer) -> list[res.DagSummary]:
    """The states that a write made; none: its revision is that of the state it met."""
    results = put_results(answer)
    made = [one.summary for one in results if one.outcome != pb.PUT_OUTCOME_UNCHANGED]
    match answer:
        case pb.PutBatchResponse():
            return made + list(answer.deleted)
        case pb.DeleteResponse():
            return [answer.summary]
    return made


def _told(change: res.Change) -> Told:
    summary = change.dag.summary
    assert summary.revision == change.revision
    assert summary.deleted == bool(summary.delete_reason)
    return Told(
        change.kind,
        _key(summary),
        summary.version,
        summary.content_hash,
        summary.delete_reason,
    )


def _key(summary: res.DagSummary) -> Key:
    return summary.namespace, summary.dag_id
