"""Answers for programs: JSON and YAML."""

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum

import click
import yaml

from dagcatalog_client.cli.context import Output

_FAST_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def plain(value: object) -> object:
    """Return what JSON can say of a value of the model: enums by name, times in ISO 8601."""
    match value:
        case IntEnum():
            return value.name
        case datetime():
            return value.isoformat()
        case bytes():
            return json.loads(value) if value else None
        case Mapping():
            return {key: plain(each) for key, each in value.items()}
        case tuple() | list():
            return [plain(each) for each in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = (field.name for field in dataclasses.fields(value))
            return {name: plain(getattr(value, name)) for name in names}
        case _:
            return value


def emit(value: object, output: Output) -> None:
    """Print one whole answer."""
    if output is Output.YAML:
        click.echo(_yaml(plain(value)), nl=False)
    else:
        click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))


def emit_line(value: object, output: Output) -> None:
    """Print one answer of many at once: a line of JSON, or a document of YAML."""
    if output is Output.YAML:
        click.echo("---\n" + _yaml(plain(value)), nl=False)
    else:
        click.echo(json.dumps(plain(value), ensure_ascii=False))


def _yaml(value: object) -> str:
    text = yaml.dump(value, Dumper=_FAST_DUMPER, sort_keys=False, allow_unicode=True)
    return str(text)
