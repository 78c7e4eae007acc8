"""Reads when a DAG runs out of its document: `timetable`, or in older formats the interval."""

from collections.abc import Iterator, Mapping

from dagcatalog_server.catalog.canonical import Json
from dagcatalog_server.catalog.model import Schedule, ScheduleKind

_KINDS = {
    "NullTimetable": ScheduleKind.NONE,
    "PartitionedAtRuntime": ScheduleKind.NONE,
    "OnceTimetable": ScheduleKind.ONCE,
    "ContinuousTimetable": ScheduleKind.CONTINUOUS,
    "CronDataIntervalTimetable": ScheduleKind.CRON,
    "CronTriggerTimetable": ScheduleKind.CRON,
    "CronPartitionTimetable": ScheduleKind.CRON,
    "MultipleCronTriggerTimetable": ScheduleKind.CRON,
    "DeltaDataIntervalTimetable": ScheduleKind.DELTA,
    "DeltaTriggerTimetable": ScheduleKind.DELTA,
    "AssetTriggeredTimetable": ScheduleKind.ASSET,
    "DatasetTriggeredTimetable": ScheduleKind.ASSET,
    "PartitionedAssetTimetable": ScheduleKind.ASSET,
    "AssetOrTimeSchedule": ScheduleKind.ASSET_OR_TIME,
    "DatasetOrTimeSchedule": ScheduleKind.ASSET_OR_TIME,
    "EventsTimetable": ScheduleKind.EVENTS,
}
_WORDS = {
    ScheduleKind.NONE: "none",
    ScheduleKind.ONCE: "@once",
    ScheduleKind.CONTINUOUS: "@continuous",
}
_MAX_TEXT = 500
_MAX_ASSETS = 100
_MAX_SECONDS = 999_999_999 * 86_400  # of Python's timedelta; an integer may be beyond any float


def read_schedule(dag: Mapping[str, Json]) -> Schedule:
    """Read the schedule of a document's `dag`; a document without one is not scheduled."""
    timetable = dag.get("timetable")
    if not isinstance(timetable, dict):
        return _old_schedule(dag)
    name = _text(timetable.get("__type"))[:_MAX_TEXT]
    facts = timetable.get("__var")
    facts = facts if isinstance(facts, dict) else {}
    kind = _kind(name)
    return Schedule(
        kind=kind,
        text=_describe(kind, name, facts)[:_MAX_TEXT],
        timezone=_timezone(facts, dag) if kind is not ScheduleKind.NONE else "",
        timetable=name,
    )


def _kind(name: str) -> ScheduleKind:
    """Only Airflow's own classes have a known kind; a class of that name elsewhere is custom."""
    ships = name.startswith("airflow.timetables.")
    return (
        _KINDS.get(name.rpartition(".")[2], ScheduleKind.CUSTOM) if ships else ScheduleKind.CUSTOM
    )


def _describe(kind: ScheduleKind, name: str, facts: Mapping[str, Json]) -> str:
    match kind:
        case ScheduleKind.CRON:
            return _cron(facts)
        case ScheduleKind.DELTA:
            return _delta(facts.get("delta"))
        case ScheduleKind.ASSET:
            return _assets(facts)
        case ScheduleKind.ASSET_OR_TIME:
            inner = read_schedule({"timetable": facts.get("timetable")})
            return f"{inner.text} or {_assets(facts)}"
        case ScheduleKind.EVENTS:
            return _text(facts.get("description")) or "events"
    return _WORDS.get(kind) or name.rpartition(".")[2]


def _cron(facts: Mapping[str, Json]) -> str:
    many = facts.get("expressions")
    expressions = many if isinstance(many, list) else [facts.get("expression")]
    return ", ".join(_text(expression) for expression in expressions)


def _delta(value: Json) -> str:
    if isinstance(value, dict):
        return _text(", ".join(f"{name} {amount}" for name, amount in value.items()))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if abs(value) > _MAX_SECONDS:
        return f"every {value} s"
    days, seconds = divmod(value, 86_400)
    hours, minutes = divmod(seconds // 60, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (seconds % 60, "s"))
    return "every " + (" ".join(f"{amount:g} {unit}" for amount, unit in parts if amount) or "0 s")


def _assets(facts: Mapping[str, Json]) -> str:
    condition = facts.get("asset_condition", facts.get("dataset_condition"))
    names = list(dict.fromkeys(_asset_names(condition)))
    more = f" and {len(names) - _MAX_ASSETS} more" if len(names) > _MAX_ASSETS else ""
    return ", ".join(names[:_MAX_ASSETS]) + more


def _asset_names(condition: Json) -> Iterator[str]:
    if not isinstance(condition, dict):
        return
    if isinstance(objects := condition.get("objects"), list):
        for inner in objects:
            yield from _asset_names(inner)
    elif name := _text(condition.get("name")) or _text(condition.get("uri")):
        yield name


def _timezone(facts: Mapping[str, Json], dag: Mapping[str, Json]) -> str:
    own = facts.get("timezone")
    return (_text(own) or _text(dag.get("timezone")))[:_MAX_TEXT]


def _old_schedule(dag: Mapping[str, Json]) -> Schedule:
    interval = dag.get("schedule_interval")
    if isinstance(interval, dict):
        text = _delta(interval.get("__var", interval.get("value")))[:_MAX_TEXT]
        return Schedule(ScheduleKind.DELTA, text, _timezone({}, dag))
    text = _text(interval)[:_MAX_TEXT]
    if not text:
        return Schedule(text=_WORDS[ScheduleKind.NONE])
    return Schedule(ScheduleKind.CRON, text, _timezone({}, dag))


def _text(value: Json) -> str:
    return value.replace("\0", "\ufffd") if isinstance(value, str) else ""
