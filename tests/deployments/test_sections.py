"""A section is read by its type hints: what fits is taken, and each thing that does not is told at its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from ktrdr_qa.target.sections import NOT_IN_A_FILE, Mistaken, Within, keys, read


@dataclass(frozen=True)
class Inner:
    name: str
    bars: Annotated[int, Within(at_least=0)] = 0


@dataclass(frozen=True)
class Outer:
    kind: Literal["a", "b"] = "a"
    share: Annotated[float, Within(over=0, at_most=2)] | None = None
    on: bool = True
    words: list[str] = field(default_factory=list)
    inners: dict[str, Inner] = field(default_factory=dict)
    own: str = field(default="", metadata=NOT_IN_A_FILE)


def test_what_fits_is_taken() -> None:
    document = {"kind": "b", "share": 1, "on": False, "words": ["x"], "inners": {"i": {"name": "n", "bars": 3}}}
    assert read(Outer, document) == Outer("b", 1.0, False, ["x"], {"i": Inner("n", 3)})
    assert isinstance(read(Outer, {"share": 1}).share, float) and read(Outer, {"share": "1.5"}).share == 1.5
    assert read(Outer, {}) == Outer()


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"kind": "c"}, "kind: Input should be 'a' or 'b'"),
        ({"share": 0}, "share: Input should be greater than 0"),
        ({"share": 2.1}, "share: Input should be less than or equal to 2"),
        ({"share": float("nan")}, "share: Input should be greater than 0"),
        ({"share": "much"}, "share: Input should be a valid number"),
        ({"share": [1]}, "share: Input should be a valid number"),
        ({"share": True}, "share: Input should be a valid number"),
        ({"share": 10**400}, "share: Input should be a valid number"),
        ({"on": 1}, "on: Input should be a valid boolean"),
        ({"words": "x"}, "words: Input should be a valid list"),
        ({"words": ["x", 1]}, "words.1: Input should be a valid string"),
        ({"inners": []}, "inners: Input should be a valid dictionary"),
        ({"inners": {"i": 1}}, "inners.i: Input should be a valid dictionary"),
        ({"inners": {"i": {}}}, "inners.i.name: Field required"),
        ({"inners": {"i": {"name": "n", "bars": -1}}}, "inners.i.bars: Input should be greater than or equal to 0"),
        ({"inners": {"i": {"name": "n", "bars": True}}}, "inners.i.bars: Input should be a valid integer"),
        ({"inners": {"i": {"name": "n", "bar": 1}}}, "inners.i.bar: unknown"),
        ({"own": "x"}, "own: unknown"),
        (
            {"kind": "c", "on": 1, "x": 1},
            "kind: Input should be 'a' or 'b'; on: Input should be a valid boolean; x: unknown",
        ),
    ],
)
def test_what_does_not_fit_is_told_at_its_place(document: dict[str, Any], told: str) -> None:
    with pytest.raises(Mistaken) as caught:
        read(Outer, document)
    assert str(caught.value) == told


def test_of_an_unknown_key_it_is_told_what_could_stand_there() -> None:
    with pytest.raises(Mistaken) as caught:
        read(Outer, {"inners": {"i": {"name": "n", "bar": 1}}})
    assert caught.value.mistakes[0].known == keys(Inner) == ("bars", "name") and "own" not in keys(Outer)
