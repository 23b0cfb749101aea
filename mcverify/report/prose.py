"""Text of a report: marked-up sentences as spans, and the words that every report says."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARKED = re.compile(r"\$\$(?P<display>.+?)\$\$|\$(?P<math>[^$]+?)\$|`(?P<code>[^`]+)`", re.DOTALL)

SYMBOLS = {"SUPPORTED": "✓", "REFUTED": "✗", "UNDECIDED": "?", "REPORTED": "•", "": "–"}
"""A sign beside each verdict's word, so that no one has to tell colours apart."""


@dataclass(frozen=True)
class Span:
    """A piece of a sentence: `kind` is "text", "math", "display" (a formula of its own line) or "code"."""

    kind: str
    text: str


Text = tuple[Span, ...]


def spans(text: str) -> Text:
    """A sentence cut at its formulas (between dollar signs) and its code (between backticks).

    >>> [(span.kind, span.text) for span in spans("so $x = 1$ in `relu`")]
    [('text', 'so '), ('math', 'x = 1'), ('text', ' in '), ('code', 'relu')]
    """
    found: list[Span] = []
    end = 0
    for match in _MARKED.finditer(text):
        found += [Span("text", text[end : match.start()])] if match.start() > end else []
        found.append(Span(str(match.lastgroup), match[str(match.lastgroup)]))
        end = match.end()
    return (*found, *([Span("text", text[end:])] if end < len(text) else []))


def plain(text: str) -> str:
    """A sentence without its marks, for labels.

    >>> plain("so $x = 1$ in `relu`")
    'so x = 1 in relu'
    """
    return "".join(span.text for span in spans(text))


def counted(count: int, noun: str, nouns: str = "") -> str:
    """A number with its noun, one or many.

    >>> counted(1, "claim"), counted(2310, "claim"), counted(2, "study", "studies")
    ('1 claim', '2,310 claims', '2 studies')
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def shortened(text: str, length: int) -> str:
    """At most `length` characters; what is cut off at the end is shown as three points.

    >>> shortened("preactivation", 8)
    'preacti…'
    """
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


EXACTNESS = {
    "EXACT": "exact at every finite width",
    "LEADING_ORDER": "leading order in 1/width, the next term stated or measured",
    "INFINITE_WIDTH": "the limit of infinite width",
    "BOUND": "a bound",
}
"""How far a prediction can be trusted at finite width, in words."""

INTRODUCTION = (
    "This report says which statements about random neural networks hold. A statement predicts a number: say, that a "
    "layer with ReLU halves the mean square of what flows through it. To test it, many networks are drawn at random, "
    "each with fresh weights, the number is measured on every one of them, and the mean over networks is compared "
    "with the prediction. One network counts as one observation, however many units it has, because the units of one "
    "network are not independent.",
)

VERDICTS = (
    (
        "SUPPORTED",
        "The whole interval for the departure lies inside the margin: the statement holds, up to departures "
        "that were declared too small to matter before anything was simulated.",
    ),
    (
        "REFUTED",
        "The departure cannot be chance at the error level of the run. A statement that claims to be exact is refuted "
        "by any real departure; one that claims to be approximate, by a departure larger than it allows.",
    ),
    (
        "UNDECIDED",
        "Neither. Not a failure of the statement: the networks drawn do not settle it, and the reason says what would "
        "(more networks, wider ones, a law with a finite variance).",
    ),
    (
        "REPORTED",
        "A number that is shown and not judged, because the text it belongs to makes no prediction that could fail.",
    ),
)

NOTES = (
    (
        "Expected",
        "Every claim says beforehand which verdict it should get. A statement that is false as a text prints it, "
        "and a control (false on purpose), are expected to be REFUTED; a run passes when every verdict is the expected "
        "one. A study that could not refute its controls would be blind.",
    ),
    (
        "Margin",
        "The smallest departure that matters, declared with the claim: relative for numbers that are not zero, in nats "
        "for logarithms (0.01 nats is about 1\u00a0%), in standard deviations (sd) of one network's value where the "
        "prediction is zero.",
    ),
    (
        "Departure",
        "How far the simulated mean is from the prediction, as a percentage or, far away, as a factor; the interval "
        "beside it is the one that refutation uses.",
    ),
    (
        "Error levels",
        "Refutation is controlled for a whole run at once: the chance that any true statement in it is refuted is at "
        "most the budget named under provenance. Support has its own level: the chance that a departure as large "
        "as the margin passes for none.",
    ),
    (
        "Plots",
        "In forest plots a point is simulated over predicted, so 1 means agreement; the thick bar is the interval that "
        "support uses, the thin bar the wider one that refutation uses, the shaded band the margin. Controls are "
        "marked and should lie off the line. Shapes repeat what colours say.",
    ),
)

READ_FOREST = (
    "Each row is one claim, or all claims of a kind with a point each, and then the thin bar is the outermost of their "
    "intervals. Right of 1: simulated larger than predicted. SUPPORTED: the thick bar lies inside the shaded margin; "
    "REFUTED: the thin bar misses 1, or what the claim allows about it. The axis is stretched near 1."
)
READ_FOREST_AGAIN = (
    "Read as the plot at a glance: a bar inside the shaded margin supports, one off the line at 1 refutes."
)
READ_PROFILE = (
    "Points are simulated means with two standard errors, the line is what the theory predicts, open squares are what "
    "the claim says where that differs; points on the line mean that the prediction holds at that layer."
)
READ_HISTOGRAM = (
    "Bars are the values of the simulated networks, the line is the predicted density with nothing fitted: where both "
    "have one shape, the theory has the whole law right and not its mean alone."
)
