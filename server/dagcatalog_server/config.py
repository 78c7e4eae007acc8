"""What an operator can set: `DAGCATALOG_*` variables over a TOML file over the defaults."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from dagcatalog_server.catalog.trimming import Trim

MIB = 1024**2

Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


class ProfileFields(BaseModel):
    """Which fields of a document a profile sends, as paths: see docs/reference/profiles.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    include: tuple[str, ...] = ()
    """Where one is named, only the named fields of that object stay."""
    exclude: tuple[str, ...] = ()
    """These are left out."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        Trim(include=self.include, exclude=self.exclude)
        return self


class Profiles(BaseModel):
    """What webservers and schedulers are sent of a document; Airflow 3.3.2 was read for the defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    webserver: ProfileFields = ProfileFields(
        exclude=(
            "dag.dag_dependencies",  # the graph is Dependencies' to tell
            "dag.tasks[].python_callable_name",
            "dag.tasks[].partial_kwargs.python_callable_name",
            "dag.tasks[].template_ext",
        )
    )
    scheduler: ProfileFields = ProfileFields(
        exclude=(
            "dag.access_control",
            "dag.dag_dependencies",
            "dag.default_args",
            "dag.description",
            "dag.doc_md",
            "dag.edge_info",
            "dag.owner_links",
            "dag.tasks[]._operator_extra_links",
            "dag.tasks[].doc",
            "dag.tasks[].doc_json",
            "dag.tasks[].doc_md",
            "dag.tasks[].doc_rst",
            "dag.tasks[].doc_yaml",
            "dag.tasks[].params",
            "dag.tasks[].partial_kwargs.doc_md",
            "dag.tasks[].partial_kwargs.python_callable_name",
            "dag.tasks[].python_callable_name",
            "dag.tasks[].template_ext",
            "dag.tasks[].template_fields",
            "dag.tasks[].template_fields_renderers",
            "dag.tasks[].ui_color",
            "dag.tasks[].ui_fgcolor",
            "dag.tasks[].{template_fields}",  # what is rendered is rendered where the task runs
        )
    )


class Config(BaseSettings):
    """The server's configuration. Sizes are bytes, times seconds."""

    model_config = SettingsConfigDict(env_prefix="DAGCATALOG_", extra="forbid", frozen=True)

    listen: str = "127.0.0.1:50051"
    """Address of the API; port 0 takes a free one."""
    health_listen: str = "127.0.0.1:50052"
    """Address of the health checks, plaintext, for kubelet probes; empty: none."""
    database_url: SecretStr = SecretStr("sqlite:///dagcatalog.db")
    """sqlite:///PATH, postgresql://USER:PASSWORD@HOST/DATABASE, or memory://."""
    statement_timeout: Seconds = 10.0
    """PostgreSQL: of one statement."""
    lock_timeout: Seconds = 5.0
    """PostgreSQL: of waiting for other writers, and of a commit for its synchronous standby."""
    idle_in_transaction_timeout: Seconds = 10.0
    """PostgreSQL: a replica that is paused in a write gives way to the others after so long."""
    notify: bool = True
    """PostgreSQL: tell the other replicas of a commit at once; without it their poll finds it."""
    listen_database_url: SecretStr = SecretStr("")
    """PostgreSQL: where to ring and listen, past any transaction pooler; empty: database_url."""

    max_document_bytes: Positive = 16 * MIB
    max_document_depth: Annotated[int, Field(gt=0, le=500)] = 200
    max_document_nodes: Positive = 1_000_000
    max_source_bytes: Positive = 4 * MIB
    max_message_bytes: Positive = 64 * MIB
    """A request that is larger is refused before it is read."""
    max_concurrent_rpcs: Positive = 2_000
    """Calls at once, watches among them; more are refused with RESOURCE_EXHAUSTED."""
    worker_threads: Positive = 8
    """Threads for reads; the database pool has three more. Checking has two of its own."""
    max_commit_group: Positive = 256
    """Writes that share a transaction at most."""

    memory_dags: Positive = 200_000
    """Live DAGs whose summaries are kept in memory, about 1 KB each; with more, the store is read."""
    cache_bytes: Positive = 256 * MIB
    """Encoded documents and answers kept in memory."""

    profiles: Profiles = Profiles()
    """Fields of documents that the profiles WEBSERVER and SCHEDULER send; tables of the TOML file."""

    watch_poll_interval: Seconds = 0.25
    """How often the change log is looked at without a doorbell."""
    watch_ring_changes: Positive = 10_000
    """Changes kept in memory; a watch that falls further behind is ended with its resume point."""
    consumer_silence: Annotated[float, Field(ge=1)] = 30.0
    """A consumer that was not heard of for so long is waited for no more."""
    max_consumers: Positive = 1_000
    """Consumers in one namespace."""
    drain_grace: Seconds = 10.0
    """How long calls may take to end after SIGTERM."""

    log_format: Annotated[str, Field(pattern="^(text|json)$")] = "text"
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line over variables over the file; no .env: it surprises in production."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_config(file: Path | None = None, **given: Any) -> Config:
    """Read the configuration; `given` (the command line) comes first, None is not given.

    Raises:
        pydantic.ValidationError: names every setting that is wrong.
        OSError, tomllib.TOMLDecodeError: the file cannot be read.

    """
    if file is not None:
        file.open("rb").close()  # pydantic-settings passes over a missing file in silence

    class FromFile(Config):
        model_config = SettingsConfigDict(toml_file=file)

    return FromFile(**{name: value for name, value in given.items() if value is not None})
