"""Numbers and formulas in files: a small grammar with its own tree; nothing a user wrote is ever run as code.

    sum      = term (("+" | "-") term)*
    term     = sign (("*" | "/") sign)*
    sign     = ("-" | "+") sign | power
    power    = atom (("^" | "**") sign)?
    atom     = number | name | name "[" sum "]" | function "(" sum ")" | "(" sum ")"
             | ("product" | "sum") "(" name "=" sum ".." sum "," sum ")"

Where a text is parsed with functions of several arguments there is also

    atom     = function "(" sum ("," sum)* ")" | "where" "(" sum ("<" | "<=" | ">" | ">=") sum "," sum "," sum ")"

`mcverify.formulas` turns the tree into a number or into a sympy expression.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from mcverify.errors import InputError

FUNCTIONS = {"sqrt": 1, "log": 1, "exp": 1}
"""Functions by name, with their number of arguments."""

WHERE = "where"
COMPARISONS = ("<", "<=", ">", ">=")
REPEATS = ("product", "sum")

MAX_LENGTH = 2000  # characters
MAX_NESTING = 60  # brackets, signs and exponents within each other


@dataclass(frozen=True)
class Number:
    """A number, kept exactly as a fraction."""

    value: Fraction


@dataclass(frozen=True)
class Name:
    """A name without an index."""

    name: str


@dataclass(frozen=True)
class Indexed:
    """An entry of a sequence, such as N[l-1]."""

    name: str
    index: Tree


@dataclass(frozen=True)
class Negative:
    """Minus something."""

    of: Tree


@dataclass(frozen=True)
class Binary:
    """Two parts and one of + - * / ^ between them."""

    operator: str
    left: Tree
    right: Tree


@dataclass(frozen=True)
class Call:
    """A function of one argument."""

    function: str
    argument: Tree


@dataclass(frozen=True)
class Apply:
    """A function of several arguments."""

    function: str
    arguments: tuple[Tree, ...]


@dataclass(frozen=True)
class Where:
    """One of two, as a comparison decides."""

    operator: str
    left: Tree
    right: Tree
    then: Tree
    otherwise: Tree


@dataclass(frozen=True)
class Repeat:
    """A product or sum over an integer index, both ends included."""

    kind: str
    index: str
    low: Tree
    high: Tree
    body: Tree


Tree = Number | Name | Indexed | Negative | Binary | Call | Apply | Where | Repeat


class GrammarError(InputError):
    """A text is not a formula of the grammar, or it stands for no finite number."""


_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>\*\*|\.\.|<=|>=|[-+*/^()\[\],=<>]))"
)


def parse(text: str, functions: Mapping[str, int] = FUNCTIONS) -> Tree:
    """The tree of a formula.

    Args:
        text: The formula.
        functions: The functions it may use, with their number of arguments; 0 for two or more, and `where` by name.

    Raises:
        GrammarError: naming the place where the text stops being a formula.

    >>> parse("2/fan_in")
    Binary(operator='/', left=Number(value=Fraction(2, 1)), right=Name(name='fan_in'))
    >>> parse("2 fan_in")
    Traceback (most recent call last):
        ...
    mcverify.grammar.GrammarError: `2 fan_in`: expected an operator at character 3, found 'fan_in'.
    """
    if len(text) > MAX_LENGTH:
        raise GrammarError(
            f"`{text[:40]}...`: a formula has at most {MAX_LENGTH} characters; this one has {len(text)}."
        )
    return _Parser(text, functions).whole()


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, functions: Mapping[str, int]) -> None:
        self.text, self.functions = text, functions
        self.tokens = list(_tokens(text))
        self.at = 0
        self.nesting = 0

    def whole(self) -> Tree:
        tree = self.sum()
        if self.peek() != "":
            raise self.error("an operator")
        return tree

    def sum(self) -> Tree:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise GrammarError(f"`{self.text[:40]}...`: more than {MAX_NESTING} levels of nesting.")
        tree = self.term()
        while self.peek() in ("+", "-"):
            tree = Binary(self.take(), tree, self.term())
        self.nesting -= 1
        return tree

    def term(self) -> Tree:
        tree = self.sign()
        while self.peek() in ("*", "/"):
            tree = Binary(self.take(), tree, self.sign())
        return tree

    def sign(self) -> Tree:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise GrammarError(f"`{self.text[:40]}...`: more than {MAX_NESTING} levels of nesting.")
        tree = self.signed()
        self.nesting -= 1
        return tree

    def signed(self) -> Tree:
        if self.peek() in ("-", "+"):
            return Negative(self.sign()) if self.take() == "-" else self.sign()
        tree = self.atom()
        if self.peek() in ("^", "**"):
            self.take()
            tree = Binary("^", tree, self.sign())
        return tree

    def atom(self) -> Tree:
        kind, token, _ = self.tokens[self.at]
        if kind == "number":
            self.at += 1
            return Number(_fraction(token))
        if kind == "name":
            self.at += 1
            return self.named(token)
        if self.peek() != "(":
            raise self.error("a number, a name or '('")
        return self.between("(", ")")

    def named(self, name: str) -> Tree:
        if self.peek() == "[":
            return Indexed(name, self.between("[", "]"))
        if self.peek() != "(":
            return Name(name)
        if name == WHERE and name in self.functions:
            return self.where()
        if self.functions.get(name) == 1:
            return Call(name, self.between("(", ")"))
        if name in self.functions:
            return Apply(name, self.arguments(name))
        if name in REPEATS:
            return self.repeat(name)
        raise GrammarError(f"`{self.text}`: there is no function {name!r}{_close(name, [*self.functions, *REPEATS])}")

    def arguments(self, name: str) -> tuple[Tree, ...]:
        self.expect("(")
        found = [self.sum()]
        while self.peek() == ",":
            self.take()
            found.append(self.sum())
        self.expect(")")
        count = self.functions[name]
        if len(found) != count and (count or len(found) < 2):
            raise GrammarError(f"`{self.text}`: {name} takes {count or 'two or more'} arguments, not {len(found)}.")
        return tuple(found)

    def where(self) -> Where:
        self.expect("(")
        left = self.sum()
        if self.peek() not in COMPARISONS:
            raise self.error("a comparison, as in where(x > 0, x, 0)")
        operator, right = self.take(), self.sum()
        self.expect(",")
        then = self.sum()
        self.expect(",")
        otherwise = self.sum()
        self.expect(")")
        return Where(operator, left, right, then, otherwise)

    def repeat(self, kind: str) -> Tree:
        self.expect("(")
        token_kind, index, _ = self.tokens[self.at]
        if token_kind != "name":
            raise self.error(f"an index, as in {kind}(q=1..l, N[q])")
        self.at += 1
        self.expect("=")
        low = self.sum()
        self.expect("..")
        high = self.sum()
        self.expect(",")
        body = self.sum()
        self.expect(")")
        return Repeat(kind, index, low, high, body)

    def between(self, opening: str, closing: str) -> Tree:
        self.expect(opening)
        tree = self.sum()
        self.expect(closing)
        return tree

    def peek(self) -> str:
        kind, token, _ = self.tokens[self.at]
        return token if kind in ("sign", "end") else "\0"

    def take(self) -> str:
        token = self.tokens[self.at][1]
        self.at += 1
        return token

    def expect(self, token: str) -> None:
        if self.peek() != token:
            raise self.error(repr(token))
        self.at += 1

    def error(self, expected: str) -> GrammarError:
        _, token, where = self.tokens[self.at]
        found = f"at character {where + 1}, found {token!r}" if token else "at the end"
        return GrammarError(f"`{self.text}`: expected {expected} {found}.")


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            where = at + len(text[at:]) - len(text[at:].lstrip())
            raise GrammarError(f"`{text}`: {text[where]!r} at character {where + 1} has no meaning in a formula.")
        kind = str(match.lastgroup)
        yield kind, match[kind], match.start(kind)
        at = match.end()
    yield "end", "", end


def _fraction(token: str) -> Fraction:
    value = float(token)
    if math.isinf(value) or (value == 0 and re.search("[1-9]", re.split("[eE]", token)[0])):
        raise GrammarError(f"`{token}` is outside the range of floating-point numbers.")
    return Fraction(token.rstrip(".") if token.endswith(".") else token.replace(".e", "e").replace(".E", "E"))


def show(tree: Tree) -> str:
    """The formula as text again, every operation in its order.

    >>> show(parse("1 - 2*N[l]^2"))
    '1 - 2*N[l]^2'
    """
    return _show(tree)[0]


_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 4}


def _show(tree: Tree) -> tuple[str, int]:  # noqa: PLR0911  (one case a kind of node)
    """Text, and how strongly it binds."""
    match tree:
        case Number(value):
            return str(value), 5 if value.denominator == 1 else 2
        case Name(name):
            return name, 5
        case Indexed(name, index):
            return f"{name}[{show(index)}]", 5
        case Call(function, argument):
            return f"{function}({show(argument)})", 5
        case Apply(function, arguments):
            return f"{function}({', '.join(map(show, arguments))})", 5
        case Where(operator, left, right, then, otherwise):
            return f"{WHERE}({show(left)} {operator} {show(right)}, {show(then)}, {show(otherwise)})", 5
        case Repeat(kind, index, low, high, body):
            return f"{kind}({index}={show(low)}..{show(high)}, {show(body)})", 5
        case Negative(of):
            return f"-{_bracket(of, 3)}", 3
        case Binary(operator, left, right):
            own = _STRENGTH[operator]
            gap = " " if own == 1 else ""
            sides = _bracket(left, own + (operator == "^")), _bracket(right, own + (operator in "-/"))
            return f"{sides[0]}{gap}{operator}{gap}{sides[1]}", own
    raise TypeError(f"not a formula: {tree!r}")


def _bracket(tree: Tree, needed: int) -> str:
    text, strength = _show(tree)
    return text if strength >= needed else f"({text})"


def unknown_name(name: str, known: Iterable[str]) -> GrammarError:
    """The error for a name that stands for nothing here, with the closest one that does."""
    return GrammarError(f"`{name}` stands for nothing here{_close(name, known)}")


def _close(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(name.casefold(), [other.casefold() for other in names], n=1)
    meant = [other for other in names if close and other.casefold() == close[0]]
    hint = f"; did you mean {meant[0]!r}?" if meant else "."
    return f"{hint} Known: {', '.join(names)}." if names else hint
