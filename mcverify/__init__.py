"""mcverify decides whether statements about random neural networks are true.

>>> import mcverify as mc
>>> net = mc.Network(widths=(16, 16, 16), activation="relu", weights="he_normal")
>>> table = mc.predict(net)  # what the theory says, in symbols and numbers
>>> sim = mc.simulate(net, replicates=512)  # what 512 random networks do
>>> outcome = mc.verify(net, margin=0.2, replicates=1024)  # whether the two agree

Everything is imported when it is first used, so that `import mcverify` and `mcverify --help` stay light.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mcverify import initializers as initializers
    from mcverify import observables as observables
    from mcverify.activations import Activation as Activation
    from mcverify.api import predict as predict
    from mcverify.api import run as run
    from mcverify.api import verify as verify
    from mcverify.claim import Check as Check
    from mcverify.claim import Claim as Claim
    from mcverify.claim import Measurement as Measurement
    from mcverify.errors import McverifyError as McverifyError
    from mcverify.network import Network as Network
    from mcverify.outcome import Outcome as Outcome
    from mcverify.realize import realize as realize
    from mcverify.simulate import Simulation as Simulation
    from mcverify.simulate import simulate as simulate
    from mcverify.statement import Source as Source
    from mcverify.statement import Statement as Statement
    from mcverify.study import Study as Study

_WHERE = {
    "Activation": "activations",
    "Network": "network",
    "Claim": "claim",
    "Check": "claim",
    "Measurement": "claim",
    "Source": "statement",
    "Statement": "statement",
    "Study": "study",
    "Outcome": "outcome",
    "McverifyError": "errors",
    "Simulation": "simulate",
    "predict": "api",
    "verify": "api",
    "run": "api",
    "simulate": "simulate",
    "realize": "realize",
}
_MODULES = {"initializers", "observables"}

__all__ = [
    "Activation",
    "Check",
    "Claim",
    "McverifyError",
    "Measurement",
    "Network",
    "Outcome",
    "Simulation",
    "Source",
    "Statement",
    "Study",
    "initializers",
    "observables",
    "predict",
    "realize",
    "run",
    "simulate",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"mcverify.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'mcverify' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"mcverify.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


class _Package(ModuleType):
    """The package: `mcverify.simulate` stays the function when the submodule of that name is imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _WHERE and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
