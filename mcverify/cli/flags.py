"""A network from its file or from flags, not both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mcverify.network import Network


def network_from(path: str | None, flags: Mapping[str, str | None]) -> Network:
    """The network that the arguments of a command describe.

    Raises:
        UsageError: if there is both a file and a flag, or neither.
        InputError: naming every mistake in the file or in the flags.
    """
    given = {key: text for key, text in flags.items() if text is not None}
    if path is not None and given:
        names = ", ".join(f"--{key.replace('_', '-')}" for key in given)
        raise click.UsageError(f"give the file {path} or the flags {names}, not both.")
    if path is None and not given:
        raise click.UsageError(
            "give a network: a TOML file, or flags such as --widths 784,512x10,10 --activation relu."
        )
    if path is not None:
        from mcverify.files import load_network

        return load_network(path)
    return _from_flags(given)


def _from_flags(given: Mapping[str, str]) -> Network:
    from mcverify.errors import InputError
    from mcverify.network_file import Mistakes, build

    mistakes = Mistakes("command line")
    table: dict[str, Any] = {}
    for key, text in given.items():
        try:
            table[key] = text if key == "widths" else spec(key, text)
        except InputError as error:
            mistakes.add(key, error)
    network = build(table, mistakes)
    mistakes.raise_any()
    if network is None:
        raise InputError("the flags describe no network.")
    return network


def spec(key: str, text: str) -> Any:
    """A flag's value as a file would have it.

    >>> spec("activation", "leaky_relu:negative_slope=0.1")
    {'activation': 'leaky_relu', 'negative_slope': '0.1'}
    >>> spec("activation", "expression=x*tanh(x)")
    {'expression': 'x*tanh(x)'}
    >>> spec("weights", "he_normal")
    'he_normal'
    >>> spec("weights", "normal:variance=2/fan_in")
    {'law': 'normal', 'variance': '2/fan_in'}
    >>> spec("input", "1,0,-1")
    ['1', '0', '-1']
    """
    from mcverify.errors import InputError

    if key in ("activation", "output_activation") and text.partition("=")[0].strip() == "expression":
        return {"expression": text.partition("=")[2].strip()}
    name, *pairs = [part.strip() for part in text.split(":")]
    parameters: dict[str, Any] = {}
    for pair in pairs:
        parameter, equals, value = pair.partition("=")
        if not equals or not parameter.strip() or not value.strip():
            raise InputError(f"`{key}={text}`: after the name come parameters as name=value, parted by colons.")
        parameters[parameter.strip()] = _value(value.strip())
    if key in ("input", "output_gradient") and not _is_name(name):
        return [entry.strip() for entry in text.split(",")]
    kind = _kind(key, name)
    return name if not parameters and kind not in ("law", "loss") else {kind: name, **parameters}


def _kind(key: str, name: str) -> str:
    """What a name is in a file's table: activation, law, scheme or loss."""
    if key in ("activation", "output_activation"):
        return "activation"
    if name == "half_squared_error":
        return "loss"
    if key in ("input", "output_gradient"):
        return "law"
    from mcverify.distributions import laws

    return "law" if name in laws else "scheme"


def _is_name(text: str) -> bool:
    return text.isidentifier() and text not in ("inf", "nan")


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    return [entry.strip() for entry in text.split(",")] if "," in text else text


def take_flags(given: dict[str, Any]) -> dict[str, str | None]:
    """The flags of a network, taken out of a command's options."""
    from mcverify.network_file import KEYS

    return {key: given.pop(key) for key in KEYS}
