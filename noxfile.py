"""The project's tasks: `nox -s verify` does the main job, `nox -s tests` passes the tests; `nox -l` lists all."""

from __future__ import annotations

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["tests"]

PROJECT = nox.project.load_toml("pyproject.toml")
CODE = ("mcverify", "theory", "studies", "tests", "benchmarks", "noxfile.py")


def install(session: nox.Session, *groups: str) -> None:
    """The package as it stands in this tree, and the tools that pyproject.toml lists."""
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session
def verify(session: nox.Session) -> None:
    """Verify the sources' claims and write the report."""
    session.install("-e", ".")
    session.run("mcverify", "verify", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Lint, types, doctests, then the tests; pytest's summary is the last line."""
    install(session, "dev")
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    check_lint(session)
    session.run("mypy")
    session.run("pytest", "--doctest-modules", "-q", "mcverify", "theory", "studies")
    session.run("pytest", "-n", "2", "--durations=10")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, by ruff."""
    install(session, "lint")
    check_lint(session)


def check_lint(session: nox.Session) -> None:
    """Ruff's checks and its format."""
    session.run("ruff", "check", *CODE)
    session.run("ruff", "format", "--check", *CODE)


@nox.session
def types(session: nox.Session) -> None:
    """Types, by strict mypy."""
    install(session, "types")
    session.run("mypy")


@nox.session
def bench(session: nox.Session) -> None:
    """The simulator beside a batched NumPy program, in one run."""
    session.install("-e", ".")
    session.run("python", "benchmarks/cpu_vs_numpy.py", *session.posargs)
