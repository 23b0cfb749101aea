"""Second names: an identifier that stands for an entry, or for a part of one."""

from __future__ import annotations

CONTROLS: dict[str, str] = {
    "NC-1": "OR-03",
    "NC-2": "A10",
    "NC-3": "F4",
    "NC-4": "GN-02",
    "NC-5": "E4",
    "NC-6": "OR-06",
    "NC-7": "AR-02",
    "NC-8": "AR-05",
    "NC-9": "FW",
    "NC-10": "G1",
    "NC-11": "A19",
    "NC-12": "MF-09",
    "NC-13": "A12",
    "NC-14": "A11",
    "NC-15": "A4",
    "NC-16": "C9",
    "NC-17": "C10",
    "NC-18": "A15",
}
"""False claims that must be refuted, with the entry that refutes each."""

ALIASES: dict[str, str] = {
    "MF-01": "E1",
    "MF-06": "E4",
    "MF-07": "E3",
    "GN-05": "A6",
    "SD-01": "A10",
    "SD-02": "E3",
    "SD-03": "A6",
    "SD-04": "A19",
    "SD-05": "A17",
    "SD-06": "A23",
    "SD-07": "A24",
    "SD-08": "GN-02",
    "SD-09": "A13",
    "SD-10": "A22",
    "SY-01": "A19",
    "SY-02": "A19",
    "SY-03": "A19",
    "SY-04": "A19",
    "SY-05": "A21",
    "SY-06": "A20",
    "SY-08": "A25",
    "TR-05": "A10",
    "TR-07": "A26",
    **CONTROLS,
    **{f"FW-{number:02d}": "FW" for number in range(1, 11)},
}
"""Identifier to the entry under which it is stated."""
