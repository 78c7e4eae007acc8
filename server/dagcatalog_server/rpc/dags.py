"""DAGs as the wire sends them, encoded once: for Get, GetBatch, Watch and the initial state alike."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import zstandard
from cachetools import LRUCache

from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.catalog.model import Blob, Change, DagState
from dagcatalog_server.catalog.query import StateRow
from dagcatalog_server.replica.heads import Head, HeadChange
from dagcatalog_server.rpc import answers
from dagcatalog_server.rpc.encoded import EncodedCache
from dagcatalog_server.rpc.readable import to_struct
from dagcatalog_server.rpc.summaries import encoded_summary
from dagcatalog_server.rpc.threads import Threads
from dagcatalog_server.rpc.view import Encoding, Form, Profile, View
from dagcatalog_server.rpc.wire import field

ReadBlobs = Callable[[Collection[str]], Mapping[str, Blob]]
"""Reads blobs by hash; called on a thread. Raises BlobCorrupt if one is not there."""

Trims = Mapping[Profile, Callable[[bytes], bytes]]
"""What makes of a document what a profile needs; FULL has none."""

# The number of the DAG's field in GetResponse, and of the DAGs' in StatePage: what is kept is sent
# there as it is; elsewhere it is renumbered.
DAG_FIELD = 1
_SUMMARY, _DOCUMENT = 1, 2  # numbers of Dag's fields
SUMMARY_BYTES = 1024
# What is encoded, compressed even, so quickly that it is not worth the hop to a thread.
QUICK_BYTES = 256 * 1024
# A document that is trimmed is read and written anew: ten times as long (benchmarks/profiles.py).
QUICK_TRIM_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class CacheShares:
    """How a bound on memory is shared out, in bytes."""

    total: int

    @property
    def dags(self) -> int:
        """For encoded DAGs."""
        return self.total // 2

    @property
    def states(self) -> int:
        """For initial states as whole streams of messages."""
        return self.total // 8

    @property
    def answers(self) -> int:
        """For whole answers to Get."""
        return self.total // 8

    @property
    def events(self) -> int:
        """For messages that watchers share."""
        return self.total // 8

    @property
    def fresh(self) -> int:
        """For what was just committed, not encoded yet."""
        return self.total // 8


def head_of(change: Change) -> Head:
    """Take from a change what is needed to answer for the state that it made."""
    return _head(change.revision, change.state, encoded_summary(change))


def head_of_row(row: StateRow) -> Head:
    """Take the same from a row of a listing."""
    return _head(row.revision, row.state, _encode_summary(row))


def head_change(change: Change) -> HeadChange:
    """Take from a change what it means for the heads."""
    return _head_change(change.state, head_of(change))


def head_change_of_row(row: StateRow) -> HeadChange:
    """Take the same from a row of a listing."""
    return _head_change(row.state, head_of_row(row))


def _head_change(state: DagState, head: Head) -> HeadChange:
    name = (state.key.namespace, state.key.dag_id)
    return HeadChange(name, head.revision, None if state.deleted else head)


def _encode_summary(row: StateRow) -> bytes:
    return answers.summary(row.revision, row.state).SerializeToString()


def _head(revision: int, state: DagState, summary: bytes) -> Head:
    return Head(
        key=state.key,
        revision=revision,
        content_hash=state.hashes.content,
        source_hash=state.source_hash,
        document_bytes=state.document_bytes,
        source_bytes=state.source_bytes,
        summary=summary,
        dependencies=state.projection.dependencies,
    )


def wire_bytes(head: Head, view: View) -> int:
    """Estimate what a DAG takes on the wire, before compression."""
    match view:
        case View.SUMMARY:
            return SUMMARY_BYTES
        case View.SOURCE:
            return SUMMARY_BYTES + head.source_bytes
        case View.DOCUMENT | View.READABLE:
            return SUMMARY_BYTES + head.document_bytes


class EncodedDags:
    """Encodes `Dag` messages and keeps them, within its shares of memory.

    A summary says everything about a state, its hashes and its revision included; so the summary and
    the form name one message for as long as the server runs, and what is kept cannot be stale.
    """

    def __init__(
        self,
        threads: Threads,
        read_blobs: ReadBlobs,
        *,
        shares: CacheShares,
        trims: Trims = MappingProxyType({}),
    ) -> None:
        self.shares = shares
        self._trims = trims
        self._threads = threads
        self._read_blobs = read_blobs
        self._cache = EncodedCache(shares.dags)
        self._fresh: LRUCache[str, Blob] = LRUCache(shares.fresh, lambda blob: len(blob.raw))

    def remember(self, blobs: Iterable[Blob]) -> None:
        """Keep what was just committed for those who will ask for it in a moment: the watchers."""
        for blob in blobs:
            if len(blob.raw) <= self._fresh.maxsize:
                self._fresh[blob.hash] = blob

    async def one(self, head: Head, form: Form) -> bytes:
        """Encode one DAG as field number 1; many who ask for it at once share the work.

        Raises:
            BlobCorrupt: the state is there, but what it holds is not.
            CatalogUnavailable: it is not in memory, and the store cannot be reached.

        """
        if form.view is View.SUMMARY:
            return _summary_only(head)

        async def encode() -> bytes:
            return (await self._encode([head], form))[0]

        return await self._cache.get_or_encode(_key(head, form), encode)

    def at_hand(self, heads: Sequence[Head], form: Form) -> list[bytes] | None:
        """Encode DAGs as `all` does if that takes no reading and little time; otherwise None."""
        if form.view is View.SUMMARY:
            return [_summary_only(head) for head in heads]
        quick_bytes = QUICK_TRIM_BYTES if form.profile in self._trims else QUICK_BYTES
        if len(heads) != 1 or form.view is not View.DOCUMENT:
            return None
        if wire_bytes(heads[0], form.view) > quick_bytes:
            return None
        kept = self._cache.get(_key(heads[0], form))
        if kept is not None:
            return [kept]
        blob = self._fresh.get(heads[0].content_hash)
        if blob is None:
            return None
        made = self._encode_all(heads, form, {blob.hash: blob})
        self._cache.put(_key(heads[0], form), made[0])
        return made

    async def all(self, heads: Sequence[Head], form: Form, *, evict: bool = True) -> list[bytes]:
        """Encode many DAGs, each as field number 1, what is not kept with one question to the store.

        A crowd that asks for the same at once, after a restart say, shares that question. Without
        `evict` they are kept only where there is room: who reads everything once should not push out
        what others read all the time.
        """
        if form.view is View.SUMMARY:
            return [_summary_only(head) for head in heads]

        async def encode(places: Sequence[int]) -> Sequence[bytes]:
            return await self._encode([heads[place] for place in places], form)

        keys = [_key(head, form) for head in heads]
        return await self._cache.get_or_encode_all(keys, encode, evict=evict)

    async def _encode(self, heads: Sequence[Head], form: Form) -> list[bytes]:
        wanted = {one for head in heads if (one := _blob_hash(head, form.view))}
        fresh = {one: self._fresh[one] for one in wanted if one in self._fresh}
        return await self._threads.call(self._read_and_encode, heads, form, fresh)

    def _read_and_encode(
        self, heads: Sequence[Head], form: Form, fresh: Mapping[str, Blob]
    ) -> list[bytes]:
        wanted = {one for head in heads if (one := _blob_hash(head, form.view))} - fresh.keys()
        stored = self._read_blobs(wanted) if wanted else {}
        return self._encode_all(heads, form, {**stored, **fresh})

    def _encode_all(
        self, heads: Sequence[Head], form: Form, blobs: Mapping[str, Blob]
    ) -> list[bytes]:
        return [
            field(DAG_FIELD, self._encode_one(head, form, blobs.get(_blob_hash(head, form.view))))
            for head in heads
        ]

    def _encode_one(self, head: Head, form: Form, blob: Blob | None) -> bytes:
        summary = field(_SUMMARY, head.summary)
        if blob is None:  # a DAG without source text
            return summary
        match form.view:
            case View.DOCUMENT:
                trimmed = self._trimmed(blob, form)
                frame = blob.frame if trimmed is blob.raw else b""
                return summary + _document(trimmed, frame, form.encoding)
            case View.SOURCE:
                source = res.Source(hash=blob.hash, text=blob.raw.decode())
                return summary + res.Dag(source=source).SerializeToString()
        readable = to_struct(self._trimmed(blob, form))
        return summary + res.Dag(readable=readable).SerializeToString()

    def _trimmed(self, blob: Blob, form: Form) -> bytes:
        trim = self._trims.get(form.profile)
        return trim(blob.raw) if trim else blob.raw


def _summary_only(head: Head) -> bytes:
    return field(DAG_FIELD, field(_SUMMARY, head.summary))


def _key(head: Head, form: Form) -> Hashable:
    return head.summary, form


def _document(raw: bytes, frame: bytes, encoding: Encoding) -> bytes:
    sent, used = raw, res.DOCUMENT_ENCODING_IDENTITY
    if encoding == res.DOCUMENT_ENCODING_ZSTD:
        frame = frame or zstandard.ZstdCompressor(level=3).compress(raw)
        if len(frame) < len(raw):
            sent, used = frame, res.DOCUMENT_ENCODING_ZSTD
    return field(_DOCUMENT, sent) + res.Dag(document_encoding=used).SerializeToString()


def _blob_hash(head: Head, view: View) -> str:
    match view:
        case View.SUMMARY:
            return ""
        case View.SOURCE:
            return head.source_hash
        case View.DOCUMENT | View.READABLE:
            return head.content_hash
