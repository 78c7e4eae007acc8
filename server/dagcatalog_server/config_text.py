"""The configuration as TOML, for people and for a file."""

import json
from collections.abc import Sequence

from pydantic import SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from dagcatalog_server.config import Config


def render_config(config: Config) -> str:
    """Write every setting in force; the password of the database's URL is masked."""
    values = {name: getattr(config, name) for name in Config.model_fields}
    tables = values.pop("profiles")
    plain = "".join(f"{name} = {_toml(value)}\n" for name, value in values.items())
    return plain + "".join(
        f"\n[profiles.{name}]\n" + "".join(f"{key} = {_list(paths)}\n" for key, paths in fields)
        for name, fields in tables
    )


def _list(texts: Sequence[str]) -> str:
    """Write a list with an element a line, to be edited."""
    return "".join(["[\n", *(f"    {json.dumps(one)},\n" for one in texts), "]"]) if texts else "[]"


def _toml(value: object) -> str:
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        return json.dumps(mask_url(secret) if secret else "")
    return json.dumps(value)


def mask_url(url: str) -> str:
    """Hide the password of a database URL; what is no URL is hidden whole."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return "***"
    # libpq takes a password as a parameter too.
    hidden = {name: "***" for name in parsed.query if "password" in name.lower()}
    return parsed.update_query_dict(hidden).render_as_string(hide_password=True)
