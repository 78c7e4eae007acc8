"""Gathers what rounds measured; prints ratios and goals, writes JSON and a plot."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.peers import etcd_version

FOLDER = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Goal:
    """A ratio to reach: `own` next to `peer` by one measure, in every case whose name begins so."""

    case: str
    measure: str
    own: str
    peer: str
    bound: float
    at_most: bool = False

    def holds(self, ratio: float) -> bool:
        """Tell whether a ratio is good enough."""
        return ratio <= self.bound if self.at_most else ratio >= self.bound

    @property
    def told(self) -> str:
        """The bound in writing."""
        return f"{'≤' if self.at_most else '≥'} {self.bound}"


@dataclass(frozen=True)
class Outcome:
    """What a goal's ratio was, round by round."""

    case: str
    goal: Goal
    ratios: tuple[float, ...]

    @property
    def name(self) -> str:
        """What was divided by what."""
        return f"{self.case}: {self.goal.own} / {self.goal.peer}, {self.goal.measure}"

    @property
    def told(self) -> str:
        """Minimum, median and maximum."""
        return " / ".join(f"{of(self.ratios):.2f}" for of in (min, median, max))

    @property
    def reached(self) -> bool:
        """Whether the median is good enough."""
        return self.goal.holds(median(self.ratios))


@dataclass
class Results:
    """Figures by case, competitor and measure: one of each a round."""

    title: str
    figures: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)

    def add(self, case: str, competitor: str, measured: Mapping[str, float]) -> None:
        """Keep what one round measured."""
        kept = self.figures.setdefault(case, {}).setdefault(competitor, {})
        for measure, figure in measured.items():
            kept.setdefault(measure, []).append(figure)

    def ratios(self, case: str, measure: str, own: str, peer: str) -> list[float]:
        """Divide round by round: neighbours in time share the weather."""
        pairs = zip(
            self.figures[case][own][measure], self.figures[case][peer][measure], strict=False
        )
        return [mine / other for mine, other in pairs if other]

    def print_table(self) -> None:
        """Print medians of every measure."""
        for case, competitors in self.figures.items():
            measures = list(next(iter(competitors.values())))
            print(f"\n{case:34}" + "".join(f"{measure:>18}" for measure in measures))
            for competitor, kept in competitors.items():
                told = "".join(f"{median(kept[measure]):>18,.2f}" for measure in measures)
                print(f"  {competitor:32}{told}")

    def outcomes(self, goals: Sequence[Goal]) -> list[Outcome]:
        """Find the ratios of each goal, in every case that it is about."""
        return [
            Outcome(case, goal, tuple(self.ratios(case, goal.measure, goal.own, goal.peer)))
            for goal in goals
            for case, kept in self.figures.items()
            if case.startswith(goal.case) and {goal.own, goal.peer} <= kept.keys()
        ]

    def print_goals(self, goals: Sequence[Goal]) -> None:
        """Print each ratio that is a goal: min / median / max."""
        print(f"\n{'ratio':74}{'min / median / max':>24}   goal")
        for one in self.outcomes(goals):
            missed = "" if one.reached else "   NOT REACHED"
            print(f"{one.name:74}{one.told:>24}   {one.goal.told}{missed}")

    def write(self, name: str, goals: Sequence[Goal] = (), *, plot: str = "") -> Path:
        """Write NAME.json, and NAME.svg of one measure if matplotlib is there; return the JSON."""
        FOLDER.mkdir(exist_ok=True)
        path = FOLDER / f"{name}.json"
        told = {
            "title": self.title,
            "machine": machine(),
            "goals": [asdict(goal) for goal in goals],
            "figures": self.figures,
        }
        path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        if plot:
            _plot(self, plot, path.with_suffix(".svg"))
        return path


def machine() -> dict[str, str]:
    """Tell what measured: ratios travel between machines, figures do not."""
    packages = ("grpcio", "protobuf", "sqlalchemy", "uvloop", "orjson", "zstandard")
    return {
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "load_average": f"{os.getloadavg()[1]:.1f}",
        "python": platform.python_version(),
        "etcd": etcd_version(),
        **{package: version(package) for package in packages},
    }


def _plot(results: Results, measure: str, path: Path) -> None:
    try:
        from matplotlib import pyplot as plt  # noqa: PLC0415 - of the extra `bench`
    except ImportError:
        print("no plot: matplotlib is not installed (extra `bench`)")
        return
    cases = [case for case, kept in results.figures.items() if measure in next(iter(kept.values()))]
    figure, axes = plt.subplots(
        len(cases), 1, figsize=(9, 0.6 + 1.3 * len(cases)), layout="constrained", squeeze=False
    )
    figure.suptitle(f"{results.title}: {measure}, median and range of the rounds")
    for axis, case in zip(axes[:, 0], cases, strict=True):
        kept = {name: one[measure] for name, one in results.figures[case].items()}
        middle = [median(figures) for figures in kept.values()]
        low = [one - min(all_) for one, all_ in zip(middle, kept.values(), strict=True)]
        high = [max(all_) - one for one, all_ in zip(middle, kept.values(), strict=True)]
        axis.barh(list(kept), middle, xerr=(low, high), color="#4c78a8", ecolor="#222222")
        axis.invert_yaxis()
        axis.set_title(case, loc="left", fontsize=9)
    figure.savefig(path)
    plt.close(figure)
