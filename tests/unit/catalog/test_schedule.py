"""When a DAG runs, read out of every shape of timetable."""

from collections.abc import Mapping

import pytest

from dagcatalog_server.catalog.model import Schedule, ScheduleKind
from dagcatalog_server.catalog.schedule import read_schedule
from tests.support.documents import with_timetable

SIMPLE = "airflow.timetables.simple."
ORDERS = {"__type": "asset", "name": "orders", "uri": "s3://orders", "group": "asset", "extra": {}}
PRICES = {"__type": "asset_ref", "uri": "s3://prices"}
EITHER = {"__type": "asset_any", "objects": [ORDERS, PRICES]}


@pytest.mark.parametrize(
    ("name", "facts", "kind", "text"),
    [
        (f"{SIMPLE}NullTimetable", {}, ScheduleKind.NONE, "none"),
        (f"{SIMPLE}PartitionedAtRuntime", {}, ScheduleKind.NONE, "none"),
        (f"{SIMPLE}OnceTimetable", {}, ScheduleKind.ONCE, "@once"),
        (f"{SIMPLE}ContinuousTimetable", {}, ScheduleKind.CONTINUOUS, "@continuous"),
        (
            "airflow.timetables.trigger.CronTriggerTimetable",
            {"expression": "0 3 * * *", "timezone": "UTC", "interval": 0.0},
            ScheduleKind.CRON,
            "0 3 * * *",
        ),
        (
            "airflow.timetables.trigger.MultipleCronTriggerTimetable",
            {"expressions": ["0 3 * * *", "0 5 * * *"], "timezone": "UTC"},
            ScheduleKind.CRON,
            "0 3 * * *, 0 5 * * *",
        ),
        (
            "airflow.timetables.trigger.DeltaTriggerTimetable",
            {"delta": 14400.0, "interval": 0.0},
            ScheduleKind.DELTA,
            "every 4 h",
        ),
        (
            "airflow.timetables.interval.DeltaDataIntervalTimetable",
            {"delta": {"months": 1, "weekday": [0]}},
            ScheduleKind.DELTA,
            "months 1, weekday [0]",
        ),
        (
            f"{SIMPLE}AssetTriggeredTimetable",
            {"asset_condition": {"__type": "asset_all", "objects": [EITHER, ORDERS]}},
            ScheduleKind.ASSET,
            "orders, s3://prices",
        ),
        (
            f"{SIMPLE}PartitionedAssetTimetable",
            {"asset_condition": ORDERS, "default_partition_mapper": {}},
            ScheduleKind.ASSET,
            "orders",
        ),
        (
            f"{SIMPLE}DatasetTriggeredTimetable",
            {"dataset_condition": {"__type": "dataset_all", "objects": [PRICES]}},
            ScheduleKind.ASSET,
            "s3://prices",
        ),
        (
            "airflow.timetables.assets.AssetOrTimeSchedule",
            {
                "asset_condition": ORDERS,
                "timetable": {
                    "__type": "airflow.timetables.trigger.CronTriggerTimetable",
                    "__var": {"expression": "0 1 * * 3"},
                },
            },
            ScheduleKind.ASSET_OR_TIME,
            "0 1 * * 3 or orders",
        ),
        (
            "airflow.timetables.events.EventsTimetable",
            {"event_dates": [1.0], "description": "Full moons"},
            ScheduleKind.EVENTS,
            "Full moons",
        ),
        ("airflow.timetables.events.EventsTimetable", {}, ScheduleKind.EVENTS, "events"),
        ("plugins.workday.AfterWorkday", {}, ScheduleKind.CUSTOM, "AfterWorkday"),
        ("mine.NullTimetable", {}, ScheduleKind.CUSTOM, "NullTimetable"),
        ("airflow.timetables.new.Unheard", {}, ScheduleKind.CUSTOM, "Unheard"),
    ],
)
def test_a_timetable_is_named_for_people(
    name: str, facts: Mapping[str, object], kind: ScheduleKind, text: str
) -> None:
    schedule = read_schedule(with_timetable(name, facts))
    timezone = "" if kind is ScheduleKind.NONE else "UTC"
    assert schedule == Schedule(kind, text, timezone, name)


def test_the_timetables_own_zone_wins_over_the_dags() -> None:
    cron = "airflow.timetables.trigger.CronTriggerTimetable"
    assert read_schedule(with_timetable(cron, {"timezone": "Asia/Tokyo"})).timezone == "Asia/Tokyo"
    assert read_schedule(with_timetable(cron, {"timezone": 3600})).timezone == "UTC"


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("@daily", Schedule(ScheduleKind.CRON, "@daily", "UTC")),
        (
            {"__type": "timedelta", "__var": 5400.0},
            Schedule(ScheduleKind.DELTA, "every 1 h 30 min", "UTC"),
        ),
        (
            {"__type": "relativedelta", "__var": {"days": 2}},
            Schedule(ScheduleKind.DELTA, "days 2", "UTC"),
        ),
        (None, Schedule(text="none")),
        (7, Schedule(text="none")),
    ],
)
def test_an_old_document_has_an_interval(interval: object, expected: Schedule) -> None:
    assert read_schedule({"schedule_interval": interval, "timezone": "UTC"}) == expected


def test_a_document_without_a_schedule_is_not_scheduled() -> None:
    assert read_schedule({}) == Schedule(ScheduleKind.NONE, "none")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "every 0 s"),
        (1, "every 1 s"),
        (0.5, "every 0.5 s"),
        (90_061, "every 1 d 1 h 1 min 1 s"),
        (86_400.0, "every 1 d"),
        (True, ""),
        ("1 day", ""),
        (None, ""),
    ],
)
def test_a_delta_is_told_in_units(seconds: object, text: str) -> None:
    name = "airflow.timetables.trigger.DeltaTriggerTimetable"
    assert read_schedule(with_timetable(name, {"delta": seconds})).text == text


@pytest.mark.parametrize("delta", [10**400, -(10**4000), 1e308, -1e308])
def test_a_delta_beyond_all_time_is_no_failure(delta: float) -> None:
    name = "airflow.timetables.trigger.DeltaTriggerTimetable"
    for dag in (
        with_timetable(name, {"delta": delta}),
        {"schedule_interval": {"__type": "timedelta", "__var": delta}},
    ):
        schedule = read_schedule(dag)
        assert schedule.text.startswith("every ")
        assert len(schedule.text) <= 500


def test_texts_are_bounded_and_hold_no_nul() -> None:
    long = "\0" + "x" * 100_000
    cron = "airflow.timetables.trigger.CronTriggerTimetable"
    delta = "airflow.timetables.trigger.DeltaTriggerTimetable"
    assets = {"objects": [{"name": long + str(number)} for number in range(3)]}
    for dag in (
        with_timetable(cron, {"expression": long, "timezone": long}),
        with_timetable(cron, {"expressions": [long, long]}),
        with_timetable(delta, {"delta": {long: long}}),
        with_timetable(f"{SIMPLE}AssetTriggeredTimetable", {"asset_condition": assets}),
        with_timetable(long),
        with_timetable("airflow.timetables.events.EventsTimetable", {"description": long}),
        {"schedule_interval": long, "timezone": long},
        {"schedule_interval": {"__var": {long: 1}}, "timezone": long},
    ):
        schedule = read_schedule(dag)
        for text in (schedule.text, schedule.timezone, schedule.timetable):
            assert len(text) <= 500
            assert "\0" not in text


def test_many_assets_are_counted_not_listed() -> None:
    objects = [{"__type": "asset", "name": f"a{number}"} for number in range(150)]
    name = f"{SIMPLE}AssetTriggeredTimetable"
    text = read_schedule(with_timetable(name, {"asset_condition": {"objects": objects}})).text
    assert text.startswith("a0, a1, ")
    assert text.endswith(" and 50 more")
