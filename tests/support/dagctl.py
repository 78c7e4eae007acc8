"""`dagctl` as a process of its own, in one namespace of a running server."""

import os
import subprocess
import sys
from pathlib import Path

from dagcatalog_client import Client

DAGCTL = str(Path(sys.executable).with_name("dagctl"))


class Dagctl:
    """dagctl in one namespace of one server."""

    def __init__(self, address: str, namespace: str) -> None:
        self.environment = {
            **{k: v for k, v in os.environ.items() if k != "COLUMNS"},
            "DAGCATALOG_ADDRESS": address,
            "DAGCATALOG_NAMESPACE": namespace,
        }
        self.client = Client(address, namespace=namespace)

    def __call__(
        self, *arguments: str, stdin: str | None = None, columns: int | None = None
    ) -> "subprocess.CompletedProcess[str]":
        extra = {} if columns is None else {"COLUMNS": str(columns)}
        return subprocess.run(
            [DAGCTL, *arguments],
            check=False,
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=60,
            env={**self.environment, **extra},
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [DAGCTL, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
