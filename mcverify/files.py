"""Networks and studies in TOML files: plain data, never code; every mistake of a file is reported at once.

A network file has the keys of `Network` at its top level:

    widths = "784,512x10,10"
    activation = "relu"
    weights = { law = "normal", variance = "2/fan_in" }

A study file has them under `[network]`, and its claims under `[[claim]]`:

    id = "halving"
    [network]
    widths = ["width x 5"]
    activation = "relu"
    weights = "lecun_normal"
    [grid]
    width = [32, 128]
    [[claim]]
    name = "ReLU halves the second moment at each layer"
    observable = "preactivation.second_moment"
    layer = [2, 3, 4]
    prediction = "m_0/2^(l-1)"
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcverify.errors import InputError
from mcverify.network_file import Mistakes, build

if TYPE_CHECKING:
    from mcverify.network import Network
    from mcverify.study import Study

MAX_BYTES = 1_000_000


def load_network(path: str | Path) -> Network:
    """The network that a TOML file describes.

    Raises:
        InputError: naming every mistake of the file, with its key and value.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "net.toml")
    ...     _ = file.write_text('widths = [4, "8x2"]')
    ...     load_network(file).widths
    (4, 8, 8)
    """
    table = read(path, "network")
    mistakes = Mistakes(str(path))
    network = build(table, mistakes)
    mistakes.raise_any()
    if network is None:
        raise InputError(f"{path}: describes no network.")
    return network


def load_study(path: str | Path) -> Study:
    """The study that a TOML file describes: every claim at every point of its grid and every layer it names.

    Raises:
        InputError: naming every mistake of the file, with its key and value.
    """
    from mcverify import study_file

    table = read(path, "study")
    mistakes = Mistakes(str(path))
    study = study_file.build(table, mistakes)
    mistakes.raise_any()
    if study is None:
        raise InputError(f"{path}: describes no study.")
    return study


def read(path: str | Path, what: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Args:
        path: The file.
        what: What the caller named it as, "network" or "study".

    Raises:
        InputError: if it is absent, unreadable, too large, or not TOML; with the line of the first error.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise InputError(f"`{what}={str(path)!r}`: there is no such file.")
        if file.stat().st_size > MAX_BYTES:
            raise InputError(f"`{what}={str(path)!r}` is larger than {MAX_BYTES} bytes; it is no {what} file.")
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"`{what}={str(path)!r}` cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"`{what}={str(path)!r}` is not UTF-8 text.") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}.") from error
    except RecursionError as error:
        raise InputError(f"{path} is nested too deeply.") from error
