"""The shapes of pictures: round scales, lines and bars, as SVG paths in a box that the page stretches.

Everything is drawn in a box of WIDTH by HEIGHT units, its origin at the upper left. Paths are texts, so that no
template writes their numbers with a decimal comma.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

WIDTH, HEIGHT = 600, 200
MOST_STEPS = 4
_BAR = Decimal("0.32")  # share of the room of a pair of bars


@dataclass(frozen=True)
class Scale:
    """Round amounts at equal distances, from zero at the bottom to the last at the top."""

    marks: tuple[Decimal, ...]

    @property
    def from_the_top(self) -> tuple[Decimal, ...]:
        return self.marks[::-1]

    @property
    def grid(self) -> str:
        """Return a line across for each mark."""
        return "".join(f"M0 {self.y(mark)}H{WIDTH}" for mark in self.marks)

    def y(self, amount: Decimal) -> str:
        """Return how far below the top an amount is."""
        return _text(HEIGHT - HEIGHT * amount / self.marks[-1])


@dataclass(frozen=True)
class LinePicture:
    """Amounts from left to right at equal distances: the line, what is under it, and its last point."""

    scale: Scale
    line: str
    area: str
    last: str


@dataclass(frozen=True)
class BarPicture:
    """Pairs of bars from left to right; zero has no bar."""

    scale: Scale
    left: str
    right: str


def scale_up_to(largest: Decimal, *, unit: Decimal) -> Scale:
    """Return at most MOST_STEPS steps of 1, 2 or 5 times a power of ten, none smaller than `unit`, that reach
    `largest`."""
    if largest <= 0:
        return Scale((Decimal(0), Decimal(1)))
    power = Decimal(1).scaleb((largest / MOST_STEPS).adjusted())
    steps = (max(factor * power, unit) for factor in (1, 2, 5, 10))
    step = next(step for step in steps if step * MOST_STEPS >= largest)
    count = int((largest / step).to_integral_value(ROUND_CEILING))
    return Scale(tuple(number * step for number in range(count + 1)))


def draw_line(amounts: Sequence[Decimal], *, unit: Decimal) -> LinePicture:
    """Return `amounts` (one at least, none negative) as a line; a single one is a point at the right."""
    scale = scale_up_to(max(amounts), unit=unit)
    gaps = max(len(amounts) - 1, 1)
    first = gaps + 1 - len(amounts)
    points = [
        f"{_text(Decimal(WIDTH * number) / gaps)} {scale.y(amount)}" for number, amount in enumerate(amounts, first)
    ]
    line = "M" + "L".join(points)
    left = points[0].partition(" ")[0]
    return LinePicture(scale, line, f"{line}V{HEIGHT}H{left}Z", f"M{points[-1]}h0")


def draw_bars(pairs: Sequence[tuple[Decimal, Decimal]], *, unit: Decimal) -> BarPicture:
    """Return `pairs` (one at least, nothing negative) as bars side by side."""
    scale = scale_up_to(max(max(pair) for pair in pairs), unit=unit)
    room = Decimal(WIDTH) / len(pairs)
    middles = [room * number + room / 2 for number in range(len(pairs))]
    width = room * _BAR
    gap = room * (Decimal("0.5") - _BAR) / 4
    return BarPicture(
        scale,
        "".join(
            _bar(middle - gap - width, width, left, scale) for middle, (left, _) in zip(middles, pairs, strict=True)
        ),
        "".join(_bar(middle + gap, width, right, scale) for middle, (_, right) in zip(middles, pairs, strict=True)),
    )


def _bar(x: Decimal, width: Decimal, amount: Decimal, scale: Scale) -> str:
    if not amount:
        return ""
    # A little beside a lot must still be visible.
    top = min(Decimal(scale.y(amount)), Decimal(HEIGHT - 1))
    return f"M{_text(x)} {HEIGHT}V{_text(top)}h{_text(width)}V{HEIGHT}Z"


def _text(number: Decimal) -> str:
    """Write a number as text. Tenths are finer than any screen; `normalize` would write 600 as 6E+2."""
    return f"{number:.1f}".removesuffix(".0")
