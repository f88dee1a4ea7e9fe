"""The steps of a walk: a name and whole numbers, drawn from a seed. The meaning of the numbers depends on what exists
when the step is taken, so a walk without some of its steps is a walk too."""

from collections.abc import Sequence
from random import Random

# How often, and what is drawn: a number (n), an amount of money (a).
STEPS = {
    "open": (3, "nnna"),
    "close": (2, "n"),
    "deposit": (14, "na"),
    "withdraw": (9, "nan"),
    "pay": (22, "nnann"),
    "move_own": (7, "nna"),
    "clear_out": (2, "nn"),
    "deposit_at_counter": (3, "nna"),
    "withdraw_at_counter": (3, "nnan"),
    "give_code": (3, "nn"),
    "guess_codes": (1, "n"),
    "again": (8, "nn"),
    "release": (4, "nn"),
    "reject": (2, "nn"),
    "cancel": (2, "n"),
    "expire": (1, ""),
    "reverse": (5, "nn"),
    "approve": (2, "nn"),
    "stop": (1, "nn"),
    "carry_out_due": (1, ""),
    "freeze": (2, "nn"),
    "unfreeze": (4, "nn"),
    "raise_limit": (1, "nnn"),
    "lower_limit": (1, "nn"),
    "accrue": (2, ""),
    "forget_payee": (1, "n"),
    "wait": (5, "nn"),
}
# Seconds before a step: times in which everybody hurries, and slow ones.
_PACES = ((0, 0, 0, 1), (0, 1, 3, 10), (5, 20, 45, 90, 300))
_SPELL = 25  # steps
_SIZES = (1, 100, 50_00, 100_00, 300_00, 1_200_00, 2_000_00, 2_800_00)
# Amounts at an edge, by their names (`Walker.amount`); negative numbers, so that they are not amounts.
EDGES = (
    "all",
    "one too many",
    "limit",
    "above limit",
    "alert",
    "above alert",
    "suspicious",
    "above suspicious",
    "code",
    "above code",
)

# A name, the seconds before it, and its numbers.
Step = Sequence[str | int]


def drawn(seed: int, count: int) -> list[Step]:
    """Return the steps of a walk: always the same for a seed, and the beginning of a longer walk."""
    random = Random(seed)
    names, weights = list(STEPS), [weight for weight, _ in STEPS.values()]
    steps: list[Step] = [["open", 0, number, number, 0, 2_000_00] for number in range(3)]
    while len(steps) < count:
        if len(steps) % _SPELL == 3:
            pauses = random.choice(_PACES)
        [name] = random.choices(names, weights)
        numbers = [_amount(random) if kind == "a" else random.randrange(1000) for kind in STEPS[name][1]]
        steps.append([name, random.choice(pauses), *numbers])
    return steps[:count]


def _amount(random: Random) -> int:
    if random.randrange(4) == 0:
        return -1 - random.randrange(len(EDGES))
    return random.randint(1, random.choice(_SIZES))
