"""Shows the catalog at work with Airflow's own example DAGs; run it with `make demo`.

Everything it makes is in `.demo/`, which is kept: the second run finds every DAG UNCHANGED.
"""

import argparse
import json
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
WAIT_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
STEP_TIMEOUT_S = 300.0
SHOWN_LINES = 45
WORKSHOP = "workshop"  # a namespace of its own, as the copied DAGs have the names of the originals
COPIED = ("tutorial.py", "tutorial_dag.py", "example_simplest_dag.py", "example_task_group.py")
SHOWN_DAG = "tutorial"
SCHEDULE = re.compile(r"schedule=timedelta\(days=(\d+)\)")


class DemoFailed(Exception):
    """A step did not do what it is there to show."""


class Demo:
    """The steps, in order; each says what it does and shows the command that a person would type."""

    def __init__(self, folder: Path, airflow_python: Path) -> None:
        self.folder = folder
        self.airflow_python = airflow_python
        self.bin = Path(sys.executable).parent
        self.dagctl = airflow_python.with_name("dagctl")
        self.address = ""
        self.environment = _environment(folder)
        self.unchanged: list[bool] = []

    def run(self) -> None:
        """Make the folder, serve, show everything, stop."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.server():
            self.load_examples()
            self.show_one()
            self.watch_an_edit()
            self.get_with_buf()
        self.say_what_next()

    @contextmanager
    def server(self) -> Iterator[None]:
        """Serve on free ports; stop with SIGTERM."""
        database = self.folder / "catalog.db"
        _head("Start a catalog on SQLite")
        _command(f"dagcatalog serve --database-url sqlite:///{_shown(database)}")
        command = [
            str(self.bin / "dagcatalog"),
            "serve",
            "--listen=127.0.0.1:0",
            "--health-listen=127.0.0.1:0",
            f"--database-url=sqlite:///{database}",
        ]
        log = self.folder / "server.log"
        with log.open("w") as errors, _started(command, self.environment, errors) as server:
            ready = _first_line(server, log)
            print(ready)
            found = re.search(r"grpc=(\S+)", ready)
            if not found:
                raise DemoFailed(f"the server said {ready!r}, not where it is")
            self.address = found[1]
            self.environment["DAGCATALOG_ADDRESS"] = self.address
            _command(f"export DAGCATALOG_ADDRESS={self.address}")
            yield
            _head("Stop")
        print(f"the server ended with exit code {server.returncode}")
        if server.returncode != 0:
            raise DemoFailed(f"the server did not end cleanly:\n{log.read_text()[-2000:]}")

    def load_examples(self) -> None:
        """Load Airflow's example DAGs as two bundles, then list them."""
        _head("Load Airflow's own example DAGs: each file is parsed in a process of its own")
        packages = self.output([self.airflow_python, "-c", PURELIB]).strip()
        for bundle, folder in (
            ("example-dags", f"{packages}/airflow/example_dags"),
            ("standard-example-dags", f"{packages}/airflow/providers/standard/example_dags"),
        ):
            self.load("--bundle", bundle, folder)
        _head("List them")
        self.step("list")
        self.step("status")

    def show_one(self) -> None:
        """Show one DAG in full."""
        _head("One DAG in full: its summary, then the document as Airflow serialized it")
        self.step("get", SHOWN_DAG)

    def watch_an_edit(self) -> None:
        """Edit a file of a copied folder while a watch is open."""
        dags = self.folder / "dags"
        _head(f"Watch a change: a copy of some DAGs, loaded into the namespace {WORKSHOP}")
        self.copy_dags(dags)
        report = self.load("-n", WORKSHOP, dags, quiet=True)
        revision = str(report["revision"])
        arguments = ["-n", WORKSHOP, "watch", "--after", revision, "--count", "1"]
        _command(shlex.join(["dagctl", *arguments]) + " &")
        with _started([str(self.dagctl), *arguments], self.environment, None) as watch:
            self.edit(dags / "tutorial.py")
            self.load("-n", WORKSHOP, dags, quiet=True)
            event = _read(watch, whole=True).rstrip()
        print("the watch said:")
        print(event)
        if "NEW_VERSION" not in event or SHOWN_DAG not in event:
            raise DemoFailed("the watch did not tell of the edit")
        self.step("-n", WORKSHOP, "history", SHOWN_DAG)

    def get_with_buf(self) -> None:
        """Get the same DAG with a tool that knows nothing of us: the server describes itself."""
        _head("The same Get without our client: the contract comes from server reflection")
        request = json.dumps({"dag_id": SHOWN_DAG, "view": "DAG_VIEW_READABLE"})
        method = "dagcatalog.v1.CatalogService/Get"
        _command(f"grpcurl -plaintext -d {shlex.quote(request)} {self.address} {method}")
        url = f"http://{self.address}/{method}"
        options = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "--data", request, url]
        _command(shlex.join(["buf", *options]))
        answer = self.output([self.bin / "buf", *options])
        _show(answer)
        if json.loads(answer)["dag"]["readable"]["dag"]["dag_id"] != SHOWN_DAG:
            raise DemoFailed("buf curl got another DAG")

    def say_what_next(self) -> None:
        """Name the figures, and what a person may try."""
        again = "every DAG UNCHANGED" if all(self.unchanged) else "run it again: all UNCHANGED"
        print(f"\nThe demo is done; example DAGs: {again}. It left {_shown(self.folder)}/ behind.")
        print("Try next:")
        serve = f"{_shown(self.bin)}/dagcatalog serve --database-url sqlite:///"
        print(f"  {serve}{_shown(self.folder / 'catalog.db')} &")
        dagctl = _shown(self.dagctl)
        print(f"  {dagctl} list --tag example")
        print(
            f"  {dagctl} load YOUR_DAGS_FOLDER        # dagctl load --help: limits, bundles, prune"
        )
        print(f"  {dagctl} watch                        # then load again in another terminal")
        print("  make test                             # what holds all of this")

    def copy_dags(self, dags: Path) -> None:
        """Copy some example DAGs once; later runs find them as they were left."""
        if (dags / COPIED[0]).exists():
            return
        packages = Path(self.output([self.airflow_python, "-c", PURELIB]).strip())
        dags.mkdir(exist_ok=True)
        for name in COPIED:
            shutil.copyfile(packages / "airflow" / "example_dags" / name, dags / name)

    def edit(self, file: Path) -> None:
        """Change the schedule to one more day."""
        text = file.read_text("utf-8")
        found = SCHEDULE.search(text)
        if not found:
            raise DemoFailed(f"{file} has no schedule to edit: delete it and run the demo again")
        days = int(found[1]) + 1
        _command(f"sed -i 's/{found[0]}/schedule=timedelta(days={days})/' {_shown(file)}")
        file.write_text(SCHEDULE.sub(f"schedule=timedelta(days={days})", text), "utf-8")

    def load(self, *arguments: object, quiet: bool = False) -> dict[str, Any]:
        """Load a folder, show what came of it, and return it; every file must parse."""
        named = [str(argument) for argument in arguments]
        command = [*named[:-1], "load", named[-1]] if quiet else ["load", *named]
        _command(shlex.join(["dagctl", *command[:-1], _shown(Path(command[-1]))]))
        report: dict[str, Any] = json.loads(self.output([self.dagctl, "-o", "json", *command]))
        counts = report["counts"]
        told = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in counts.items())
        print(f"{report['dag_count']} DAGs in {report['file_count']} files: {told}")
        if not quiet:
            self.unchanged.append(counts["unchanged"] == report["dag_count"])
        return report

    def step(self, *arguments: str) -> None:
        """Run one dagctl command and show what it says."""
        _command(shlex.join(["dagctl", *arguments]))
        _show(self.output([self.dagctl, *arguments]))

    def output(self, command: Sequence[object]) -> str:
        """Run a program to its end."""
        done = subprocess.run(
            [str(part) for part in command],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=STEP_TIMEOUT_S,
        )
        if done.returncode != 0:
            raise DemoFailed(
                f"{shlex.join(map(str, command))} ended with exit code {done.returncode}\n"
                f"{done.stdout[-4000:]}{done.stderr[-4000:]}"
            )
        return done.stdout


PURELIB = "import sysconfig; print(sysconfig.get_path('purelib'))"


@contextmanager
def _started(
    command: Sequence[str], environment: dict[str, str], errors: IO[str] | None
) -> Iterator["subprocess.Popen[str]"]:
    """Run a program beside us; end it, and only it, when we are done or interrupted."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,  # Ctrl-C is for the demo, which then stops it
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _first_line(server: "subprocess.Popen[str]", log: Path) -> str:
    """Wait until the server says that it is ready."""
    line = _read(server, whole=False)
    if not line:
        raise DemoFailed(f"the server did not start:\n{log.read_text()[-2000:]}")
    return line.strip()


def _read(process: "subprocess.Popen[str]", *, whole: bool) -> str:
    """Read a line, or all that a program says until it ends; "" if it takes too long."""
    if process.stdout is None or not select.select([process.stdout], [], [], WAIT_TIMEOUT_S)[0]:
        return ""
    return process.stdout.read() if whole else process.stdout.readline()


def _environment(folder: Path) -> dict[str, str]:
    """Leave out what would send us to another catalog or another Airflow."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "DAGCATALOG"))}
    return {
        **kept,
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "True",  # two examples need the plugins beside them
        "XDG_CACHE_HOME": str(folder / "cache"),
        "COLUMNS": os.environ.get("COLUMNS")
        or str(min(shutil.get_terminal_size((140, 40))[0], 160)),
        "NO_PROXY": "127.0.0.1",
    }


def _head(text: str) -> None:
    print(f"\n=== {text} ===", flush=True)


def _command(text: str) -> None:
    print(f"$ {text}", flush=True)


def _show(text: str) -> None:
    """Print an answer; a long one loses its middle."""
    lines = text.rstrip("\n").splitlines()
    if len(lines) > SHOWN_LINES:
        cut = len(lines) - SHOWN_LINES + 10
        lines = [*lines[: SHOWN_LINES - 10], f"... {cut} lines more ...", *lines[-10:]]
    print("\n".join(lines), flush=True)


def _shown(path: Path) -> str:
    """Give a path as a person in this folder would type it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    """Run the demo; 0 if every step did what it shows."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--airflow-python", type=Path, required=True)
    arguments.add_argument("--folder", type=Path, default=ROOT / ".demo")
    given = arguments.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    try:
        Demo(given.folder.absolute(), given.airflow_python.absolute()).run()
    except (DemoFailed, OSError, ValueError, subprocess.TimeoutExpired) as error:
        print(f"\nthe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nthe demo was interrupted; what it started has ended", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
