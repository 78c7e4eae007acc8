"""`dagcatalog check` finds a database damaged in each way, and nothing in one that is sound."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.pruning import PrunePolicy
from dagcatalog_server.store.checking import Finding, check_database
from dagcatalog_server.store.database import writing
from dagcatalog_server.store.postgres import open_postgres
from dagcatalog_server.store.sqlite import open_sqlite
from tests.support.writes import commit, delete, put, replace_file, restore

FOREVER = 2**63 - 1


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give a sound database with some of everything: revisions 1 to 8, compacted at 2."""
    if request.param == "sqlite":
        found, store = f"sqlite:///{tmp_path / 'c.db'}", open_sqlite(tmp_path / "c.db")
    else:
        found = request.getfixturevalue("postgres_url")
        store = open_postgres(found)
    catalog = Catalog(store)
    commit(catalog, put("a"), put("a", tags=("2",)), put("a", tags=("3",), source="# 3"))  # 1 to 3
    commit(catalog, delete("a"), restore("a"))  # 4, 5
    commit(catalog, replace_file("f.py", "b", "c"))  # 6
    commit(catalog, put("d", description="x"), put("a", tags=("4",)))  # 7, 8
    [*_, done] = catalog.prune(PrunePolicy(keep_versions=3, keep_for=timedelta(0)))
    assert done.compacted_revision == 2
    store.close()
    return found


def damage(url: str, *statements: str) -> list[Finding]:
    with writing(url) as connection:
        for statement in statements:
            connection.execute(text(statement))
    return list(check_database(url))


def test_a_sound_database_has_no_findings(url: str) -> None:
    assert list(check_database(url)) == []


@pytest.mark.parametrize(
    ("what", "where", "statement"),
    [
        ("clock", "change at 8", "UPDATE clock SET revision = 7"),
        ("clock", "compacted at 9", "UPDATE clock SET compacted_revision = 9"),
        ("revisions", "revisions 9 to 10 are", "UPDATE clock SET revision = 10"),
        ("revisions", "revision 7 is missing", "DELETE FROM change WHERE revision = 7"),
        ("revisions", "ordinal 1", "DELETE FROM change WHERE revision = 6 AND ordinal = 0"),
        (
            "heads",
            "is the last of its DAG, but no head",
            "UPDATE change SET until_revision = 8 WHERE revision = 7",
        ),
        (
            "intervals",
            "between default/a at revision 4 and 8 nothing holds",
            "DELETE FROM change WHERE revision = 5",
        ),
        (
            "intervals",
            "overlaps the next at 4",
            "UPDATE change SET until_revision = 5 WHERE revision = 3",
        ),
        (
            "intervals",
            "ends before it begins",
            "UPDATE change SET until_revision = 3 WHERE revision = 4",
        ),
        ("versions", "version 1 after 3", "UPDATE change SET version = 1 WHERE revision = 8"),
        (
            "versions",
            "made later",
            "UPDATE change SET version_revision = 9 WHERE revision = 8",
        ),
        ("pointers", "not there", "DELETE FROM blob WHERE kind = 2"),
        ("contents", "hash", "UPDATE blob SET codec = 0, data = hash WHERE kind = 2"),
        ("projections", "description", "UPDATE change SET description = 'y' WHERE revision = 7"),
        ("projections", "task_count", "UPDATE change SET task_count = 9 WHERE revision = 8"),
        (
            "projections",
            "definition hash",
            "UPDATE change SET definition_hash = structure_hash WHERE revision = 8",
        ),
        (
            "projections",
            "document_bytes",
            "UPDATE change SET document_bytes = 1 WHERE revision = 8",
        ),
    ],
)
def test_each_damage_is_found_and_named(url: str, what: str, where: str, statement: str) -> None:
    found = damage(url, statement)
    assert any(each.what == what and where in each.where for each in found), found


def test_a_missing_clock_is_found(url: str) -> None:
    assert [each.what for each in damage(url, "DELETE FROM clock")] == ["clock"]
    again = "INSERT INTO clock (id, epoch, revision, compacted_revision) VALUES (1, 'e', 8, 2)"
    assert damage(url, again) == []


def test_an_overtaken_head_is_found(url: str) -> None:
    drop = "DROP INDEX change_head"  # the database would not let it happen
    overtaken = f"UPDATE change SET until_revision = {FOREVER} WHERE revision = 5"
    found = damage(url, drop, overtaken)
    try:
        assert Finding(
            "heads", "default/a at revision 5 is a head, but not the last of its DAG"
        ) in (found)
    finally:
        unique = "CREATE UNIQUE INDEX change_head ON change (namespace, dag_id)"
        mended = "UPDATE change SET until_revision = 8 WHERE revision = 5"
        assert damage(url, mended, f"{unique} WHERE until_revision = {FOREVER}") == []
