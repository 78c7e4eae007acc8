"""dagctl rollback, prune and verify; dagcatalog backup, restore and check."""

import json
import os
from pathlib import Path

from click.testing import CliRunner, Result

from dagcatalog_client import Client
from dagcatalog_server.cli import cli
from tests.support.dagctl import Dagctl
from tests.support.dags import dag_document


def _grow(client: Client, dag_id: str, versions: int) -> None:
    for number in range(versions):
        client.put(dag_id, dag_document(dag_id, tags=(f"{dag_id}{number}",)))


def test_rollback_puts_a_version_back(dagctl: Dagctl) -> None:
    _grow(dagctl.client, "a", 2)
    done = dagctl("rollback", "a", "1", "--reason", "two is broken")
    assert done.returncode == 0
    assert done.stdout.startswith("a: version 1 is back as version 3 (revision ")
    again = dagctl("rollback", "a", "1")
    assert again.stdout == "a: version 3 is defined as version 1 was\n"
    assert dagctl("rollback", "a", "3", "-o", "name").stdout == "a\n"
    told = json.loads(dagctl("rollback", "a", "2", "-o", "json").stdout)
    assert told["summary"]["version"] == 4
    missing = dagctl("rollback", "a", "9")
    assert missing.returncode == 3
    assert "no version 9" in missing.stderr


def test_prune_tells_before_and_after(dagctl: Dagctl) -> None:
    _grow(dagctl.client, "pruned", 4)
    would = dagctl("prune", "--keep-versions", "2", "--dry-run")
    assert would.stdout.startswith("would drop 2 versions and 2 contents")
    refused = dagctl("prune", "--keep-versions", "2")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    done = dagctl("prune", "--keep-versions", "2", "--yes")
    assert done.stdout.startswith("dropped 2 versions and 2 contents")
    assert [one.version for one in dagctl.client.list_versions("pruned")] == [4, 3]
    pruned = dagctl("rollback", "pruned", "1")
    assert pruned.returncode == 3
    assert "pruned" in pruned.stderr
    assert dagctl("prune", "--keep-for", "90d", "--yes").stdout.startswith("dropped 0 versions")
    wrong = dagctl("prune", "--keep-for", "90x", "--yes")
    assert wrong.returncode == 2
    assert "90d" in wrong.stderr
    told = json.loads(dagctl("prune", "--yes", "-o", "json").stdout)
    assert told["version_count"] == 0


def test_verify_counts_what_it_checked(dagctl: Dagctl) -> None:
    _grow(dagctl.client, "a", 3)
    done = dagctl("verify")
    assert (done.returncode, done.stdout) == (0, "3 contents checked, 0 damaged or missing\n")
    told = json.loads(dagctl("verify", "-o", "json").stdout)
    assert told == {"checked_count": 3, "corrupt": []}


def test_backup_restore_and_check_from_the_command_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    assert _dagcatalog("migrate", f"--database-url={url}").exit_code == 0
    backup = tmp_path / "backup"
    done = _dagcatalog("backup", str(backup), f"--database-url={url}")
    assert done.exit_code == 0
    assert "revision 0 of" in done.stdout
    again = _dagcatalog("backup", str(backup), f"--database-url={url}")
    assert again.exit_code == 1
    assert "--overwrite" in again.output
    target = f"sqlite:///{tmp_path / 'new.db'}"
    assert _dagcatalog("restore", str(backup), f"--database-url={target}").exit_code == 0
    checked = _dagcatalog("check", f"--database-url={target}")
    assert (checked.exit_code, checked.stdout) == (0, "nothing is wrong\n")
    backup.write_bytes(b"no backup")
    refused = _dagcatalog("restore", str(backup), f"--database-url={target}")
    assert refused.exit_code == 1
    assert "not a backup" in refused.output
    assert _dagcatalog("check", "--database-url=memory://").exit_code == 1


def _dagcatalog(*arguments: str) -> Result:
    """Run it in this process: eight interpreters would take most of the test's time."""
    plain = {name: None for name in os.environ if name.startswith("DAGCATALOG_")}
    return CliRunner().invoke(cli, arguments, env=plain)
