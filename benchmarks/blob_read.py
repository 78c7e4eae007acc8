"""Reading one DAG: as Airflow does it (SQLAlchemy, a row's JSON, decode) and through our client.

Airflow's way: a session, `SELECT data … ORDER BY last_updated DESC LIMIT 1` of a table like its
`serialized_dag` (a JSON column), the document decoded into Python objects; on SQLite and PostgreSQL
in this process. Ours: `Client.get` against a server on loopback, then the same decoding with the
standard library's `json`, so that the road alone differs; and the same without decoding, as a view
that hands the bytes on. One caller, one at a time; competitors take turns in every round.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, DateTime, Integer, String, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks import wire
from benchmarks.documents import dag_document
from benchmarks.peers import end_cleanly, running_catalog
from benchmarks.results import Results
from benchmarks.rounds import Work, measure
from dagcatalog_client.client import Client
from tests.support.postgres import running_postgres

Read = Callable[[], Any]


class Base(DeclarativeBase):
    """Tables of this benchmark."""


class SerializedDag(Base):
    """As Airflow's table of that name: the columns that reading the newest row needs."""

    __tablename__ = "serialized_dag"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    dag_id: Mapped[str] = mapped_column(String(250), index=True)
    data: Mapped[Any] = mapped_column(JSON)
    last_updated: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def main() -> None:
    """Measure, print, and write results/blob_read.json and results/blob_read.svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    end_cleanly()
    results = Results("Reading one DAG")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(running_postgres(durable=True))
        database.execute("CREATE DATABASE airflow")
        url = database.url("airflow").replace("postgresql://", "postgresql+psycopg2://")
        ours = stack.enter_context(running_catalog(folder))
        client = stack.enter_context(Client(ours.address))
        sqlite = stack.enter_context(_airflow_reads(f"sqlite:///{folder / 'airflow.db'}"))
        postgres = stack.enter_context(_airflow_reads(url))
        for size, tasks in wire.SIZES.items():
            document = dag_document(size.replace(" ", ""), tasks)
            wire.call_once(ours.address, wire.PUT, wire.put_request(_id(size), document))
            repeat = max(10, 2_000 // tasks)
            works = {
                "SQLAlchemy, SQLite": _times(repeat, sqlite(size, document)),
                "SQLAlchemy, PostgreSQL": _times(repeat, postgres(size, document)),
                "our client, decoded": _times(repeat, _decoded(client, _id(size))),
                "our client, bytes": _times(repeat, _raw(client, _id(size))),
            }
            for name, rates in measure(works, rounds=given.rounds).items():
                for rate in rates:
                    results.add(size, name, {"reads/s": rate, "ms": 1_000 / rate})
    results.print_table()
    print(results.write("blob_read", plot="reads/s"))


@contextmanager
def _airflow_reads(url: str) -> Iterator[Callable[[str, bytes], Read]]:
    engine = create_engine(url)
    Base.metadata.create_all(engine)

    def prepare(size: str, document: bytes) -> Read:
        row = SerializedDag(
            dag_id=_id(size), data=json.loads(document), last_updated=datetime.now(UTC)
        )
        with Session(engine) as session, session.begin():
            session.add(row)
        return lambda: _read_row(engine, _id(size))

    yield prepare
    engine.dispose()


def _read_row(engine: Any, dag_id: str) -> Any:
    newest = (
        select(SerializedDag.data)
        .where(SerializedDag.dag_id == dag_id)
        .order_by(SerializedDag.last_updated.desc())
        .limit(1)
    )
    with Session(engine) as session:
        return session.execute(newest).scalar_one()


def _decoded(client: Client, dag_id: str) -> Read:
    return lambda: json.loads(_raw(client, dag_id)())


def _raw(client: Client, dag_id: str) -> Read:
    def read() -> bytes:
        document = client.get(dag_id).document
        assert document is not None
        return document

    return read


def _id(size: str) -> str:
    return size.replace(" ", "")


def _times(count: int, read: Read) -> Work:
    def run() -> int:
        for _ in range(count):
            read()
        return count

    return run


if __name__ == "__main__":
    main()
