"""The three texts whose claims the studies verify, and their places."""

from __future__ import annotations

from mcverify.statement import Source

D2L_2018 = "d2l.ai, Numerical Stability and Initialization (2018 edition)"
D2L_2020 = "d2l.ai, Numerical Stability and Initialization (later edition, partly in Portuguese)"
FLEURET = "F. Fleuret, EE-559 Deep Learning, 5.5 Parameter initialization (2019)"


def d2l_2018(section: str, paragraph: str, formula: str = "") -> Source:
    """A place in the 2018 edition, by the heading's number and the paragraph under it."""
    return Source(D2L_2018, section, paragraph, formula)


def d2l_2020(section: str, paragraph: str, formula: str = "") -> Source:
    """A place in the later edition, by the heading and the paragraph under it."""
    return Source(D2L_2020, section, paragraph, formula)


def fleuret(section: str, paragraph: str, formula: str = "") -> Source:
    """A place in the lecture, by the slide's title and the formula on it."""
    return Source(FLEURET, section, paragraph, formula)
