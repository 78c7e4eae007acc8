"""What the contract says of a few DAGs of one namespace, and the writes that they may get."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import grpc
from hypothesis import strategies as st

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.dags import dag_document
from tests.support.wire import (
    canonical,
)

names = st.sampled_from(["a1", "a2", "b1"])
files = st.sampled_from(["a.py", "b.py"])
backs = st.integers(0, 12)


@dataclass(frozen=True)
class Content:
    """What is put: `text` is the definition, `folder` and `file` only where it was parsed."""

    name: str
    text: str
    folder: str
    file: str

    @property
    def document(self) -> bytes:
        made = dag_document(self.name, description=self.text)
        made["dag"]["fileloc"] = f"/{self.folder}/{self.file}"  # type: ignore[index] # a document is JSON
        return canonical(made)

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.document).hexdigest()

    def item(self, expected: pb.Precondition | None = None) -> pb.PutItem:
        place = res.Provenance(bundle_name="bundle", file=self.file)
        return pb.PutItem(
            dag_id=self.name, document=self.document, provenance=place, precondition=expected
        )


contents = st.builds(
    Content, names, st.sampled_from(["one", "two"]), st.sampled_from(["dags", "moved"]), files
)


@dataclass(frozen=True)
class PutStep:
    content: Content
    version: int | None = None
    known: Content | None = None
    """What is expected: a version, or a content."""

    @property
    def precondition(self) -> pb.Precondition | None:
        if self.known is not None:
            known = replace(self.known, name=self.content.name)
            return pb.Precondition(content_hash=known.hash)
        return None if self.version is None else pb.Precondition(version=self.version)


@dataclass(frozen=True)
class ReplaceStep:
    file: str
    batch: list[Content]


@dataclass(frozen=True)
class DeleteStep:
    name: str
    version: int | None


@dataclass(frozen=True)
class RestoreStep:
    name: str


Step: TypeAlias = PutStep | ReplaceStep | DeleteStep | RestoreStep

batches = st.lists(contents, max_size=3, unique_by=lambda one: one.name)
steps = st.one_of(
    st.builds(PutStep, contents),
    st.builds(PutStep, contents),
    st.builds(PutStep, contents, version=st.integers(0, 2)),
    st.builds(PutStep, contents, known=contents),
    st.builds(ReplaceStep, files, batches),
    st.builds(DeleteStep, names, st.none()),
    st.builds(DeleteStep, names, st.integers(1, 2)),
    st.builds(RestoreStep, names),
)


@dataclass(frozen=True)
class Row:
    """A change as the model and the wire tell it."""

    revision: int
    kind: int
    name: str
    version: int
    content_hash: str
    deleted: bool


@dataclass(frozen=True)
class Dag:
    """The head of one DAG."""

    content: Content
    version: int
    deleted: bool = False


class Refused(Exception):
    """What the model expects to be refused."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__(code.name)
        self.code = code


@dataclass
class Model:
    """One namespace, as the contract says that it is."""

    revision: int
    compacted: int
    dags: dict[str, Dag] = field(default_factory=dict)
    log: list[Row] = field(default_factory=list)
    versions: dict[tuple[str, int], Content] = field(default_factory=dict)
    """The content that a version had last."""

    def check(self, name: str, expected: pb.Precondition | None) -> None:
        """Refuse a write whose precondition does not hold."""
        dag = self.dags.get(name)
        now = (dag.version, dag.content.hash) if dag and not dag.deleted else (0, "")
        match expected and expected.WhichOneof("expected"):
            case "version" if expected and expected.version != now[0]:
                raise Refused(grpc.StatusCode.ABORTED)
            case "content_hash" if expected and expected.content_hash != now[1]:
                raise Refused(grpc.StatusCode.ABORTED)

    def put(self, content: Content) -> tuple[int, Dag]:
        """Tell the kind of the change (0: none), and what the DAG is then."""
        was = self.dags.get(content.name)
        if was is None:
            return res.CHANGE_KIND_CREATED, Dag(content, 1)
        if was.content.text != content.text:
            kinds = (res.CHANGE_KIND_NEW_VERSION, res.CHANGE_KIND_CREATED)
            return kinds[was.deleted], Dag(content, was.version + 1)
        now = Dag(content, was.version)
        if was.deleted:
            return res.CHANGE_KIND_RESTORED, now
        return (0, was) if now == was else (res.CHANGE_KIND_REFRESHED, now)

    def bury(self, name: str) -> tuple[int, Dag]:
        dag = self.dags.get(name)
        if dag is None or dag.deleted:
            raise Refused(grpc.StatusCode.NOT_FOUND)
        return res.CHANGE_KIND_DELETED, replace(dag, deleted=True)

    def restore(self, name: str) -> tuple[int, Dag]:
        dag = self.dags.get(name)
        if dag is None:
            raise Refused(grpc.StatusCode.NOT_FOUND)
        if not dag.deleted:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION)
        return res.CHANGE_KIND_RESTORED, replace(dag, deleted=False)

    def commit(self, changes: list[tuple[int, Dag]]) -> list[Row]:
        """Take changes over, in one revision."""
        made = [(kind, dag) for kind, dag in changes if kind]
        self.revision += bool(made)
        rows = [_row(self.revision, kind, dag) for kind, dag in made]
        self.log += rows
        for _, dag in made:
            self.dags[dag.content.name] = dag
            if not dag.deleted:
                self.versions[dag.content.name, dag.version] = dag.content
        return rows

    def at(self, revision: int) -> dict[str, Row]:
        """Give every DAG as it was at a revision, tombstones among them."""
        return {row.name: row for row in self.log if row.revision <= revision}


def _row(revision: int, kind: int, dag: Dag) -> Row:
    content = dag.content
    return Row(revision, kind, content.name, dag.version, content.hash, dag.deleted)
