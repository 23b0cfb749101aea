"""A study: claims, the controls that it must refute, and where its statements are from."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcverify.claim import AnyClaim, Claim, expected_of
from mcverify.errors import InputError, unknown
from mcverify.statement import Expected, Statement

if TYPE_CHECKING:
    from mcverify.picture import Picture

SHIPPED = (
    "forward_variance",
    "relu_halving",
    "xavier_compromise",
    "gradient_variance",
    "exploding_products",
    "vanishing_sigmoid",
    "default_initializations",
)
"""The studies that ship, in the order in which they are best read."""

SHARES = 32
"""The suite's false-alarm budget is cut into this many shares, one a study, whatever is selected or ships."""


@dataclass(frozen=True)
class Study:
    """Claims that belong together.

    Attributes:
        id: Name, that of its file: lower-case letters, digits, underscores.
        title: One line.
        question: What it asks, two or three sentences, for someone who has never seen it.
        claims: What is claimed.
        controls: Claims that are false on purpose and must be refuted.
        margin: Margin of the claims that declare none.
        pictures: Functions from a seed to a `Picture`, shown beside the claims.
    """

    id: str
    _: KW_ONLY
    claims: Sequence[AnyClaim]
    controls: Sequence[AnyClaim] = ()
    title: str = ""
    question: str = ""
    margin: float | None = None
    pictures: Sequence[Callable[[int], Picture]] = field(default=())

    def __post_init__(self) -> None:
        if not self.id.isidentifier():
            raise InputError(f"`id={self.id!r}`: a study's id is made of letters, digits and underscores.")
        if not self.claims:
            raise InputError(f"`claims=()`: study {self.id!r} claims nothing; give at least one claim.")
        _check_unique(self)
        for control in self.controls:
            if expected_of(control) is not Expected.REFUTED:
                raise InputError(
                    f"control {control.name!r} of study {self.id!r} expects {expected_of(control)}; "
                    "a control is false on purpose: expect REFUTED, or make it a claim."
                )

    @property
    def all_claims(self) -> tuple[AnyClaim, ...]:
        """Claims, then controls."""
        return (*self.claims, *self.controls)

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Statements in the order of their first claim."""
        found = {claim.statement.key: claim.statement for claim in self.all_claims if claim.statement}
        return tuple(found.values())


def _check_unique(study: Study) -> None:
    names: set[str] = set()
    for claim in study.all_claims:
        if claim.name in names:
            raise InputError(f"study {study.id!r} has two claims named {claim.name!r}; name them apart.")
        names.add(claim.name)
        if isinstance(claim, Claim):
            for network in claim.networks:
                _check_observable(claim, network.depth)


def _check_observable(claim: Claim, depth: int) -> None:
    from mcverify import observables

    observables.parse(claim.observable.name, claim.observable.layer, depth)


def find(name_or_path: str) -> Study:
    """A study by the name of one that ships, or by the path of a TOML file, or of a Python file with a `study`.

    >>> find("relu_halving").id
    'relu_halving'
    """
    if name_or_path in SHIPPED:
        return _study_of(importlib.import_module(f"studies.{name_or_path}"), name_or_path)
    path = Path(name_or_path)
    if path.suffix == ".toml":
        from mcverify.files import load_study

        return load_study(path)
    if path.suffix != ".py":
        raise unknown("study", name_or_path, SHIPPED)
    if not path.is_file():
        raise InputError(f"`study={name_or_path!r}`: there is no such file.")
    return _study_of(_load(path), name_or_path)


def _load(path: Path) -> Any:
    """Import one file under a private name; nothing is added to `sys.path`."""
    name = "_mcverify_study_" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"`study={str(path)!r}` cannot be read as a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"`study={str(path)!r}` fails when it is loaded: {type(error).__name__}: {error}") from error
    finally:
        sys.modules.pop(name, None)
    return module


def _study_of(module: Any, name: str) -> Study:
    study = getattr(module, "study", None)
    if not isinstance(study, Study):
        raise InputError(f"`study={name!r}` defines no `study = Study(...)`.")
    return study
