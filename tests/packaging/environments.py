"""Virtual environments that tests make, and the wheel that goes into them."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program in an environment that knows nothing of this one's packages."""
    hidden = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        env=environment,
        cwd="/",
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def build_wheel(folder: Path) -> Path:
    """Build the distribution as an index would have it."""
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def names_in(wheel: Path) -> set[str]:
    """List the files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def make_environment(folder: Path, *requirements: str | Path) -> Path:
    """Make a clean environment with these requirements; return its interpreter."""
    environment = os.environ | {"PYTHON": sys.executable}
    maker = ROOT / "tools" / "make-venv"
    done = subprocess.run(
        [str(maker), str(folder), *(str(one) for one in requirements)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "bin" / "python"


def installed(python: Path) -> set[str]:
    """Name the distributions of an environment, without those that install others."""
    code = "import importlib.metadata as m; print(*{d.metadata['Name'].lower() for d in m.distributions()})"
    return set(run(python, "-c", code).stdout.split()) - {"pip", "setuptools", "uv", "wheel"}
