"""Prints the mutants that cosmic-ray makes of the modules that it is given: for each a line of JSON.

This program alone needs cosmic-ray: `python -m venv …`,
`pip install --require-hashes -r tests/faults/mutation/requirements.txt`, and `make mutants COSMIC_RAY=…/bin/python`.
"""

import json
import re
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

# One sensible fault for each operator of the language. cosmic-ray has all pairs: `a ** b` for `a < b` proves nothing
# that `a <= b` does not, and `int << None` for a type says nothing of the tests.
_SWAPPED = {
    "Comparison": "Eq_NotEq NotEq_Eq Lt_LtE Lt_Gt LtE_Lt LtE_GtE Gt_GtE Gt_Lt GtE_Gt GtE_LtE Is_IsNot IsNot_Is",
    "Binary": "Add_Sub Sub_Add Mul_FloorDiv FloorDiv_Mul Div_Mul Mod_FloorDiv Pow_Mul BitAnd_BitOr RShift_LShift",
    "Unary": "USub_UAdd Delete_Not Delete_USub",
}
_OTHERS = [
    "AddNot",
    "ExceptionReplacer",
    "NumberReplacer",
    "RemoveDecorator",
    "ReplaceAndWithOr",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ReplaceFalseWithTrue",
    "ReplaceOrWithAnd",
    "ReplaceTrueWithFalse",
    "ZeroIterationForLoop",
]
_PAIRS = [f"Replace{kind}Operator_{pair}" for kind, pairs in _SWAPPED.items() for pair in pairs.split()]


# mypy checks in the whole program that nobody writes to a frozen dataclass, or makes one by positions; no test does.
_OF_MYPY = re.compile(r"\s*@dataclass\(.*=(True|False)")


def main(modules: list[str]) -> None:
    for module in modules:
        text = Path(module).read_text(encoding="utf-8")
        for operator in [*_PAIRS, *_OTHERS]:
            for occurrence, changed in enumerate(_mutants(text, operator)):
                if _is_program(changed) and not _is_of_mypy(operator, text, changed):
                    one = {"module": module, "operator": operator, "occurrence": occurrence, "text": changed}
                    sys.stdout.write(json.dumps(one) + "\n")


def _mutants(text: str, operator: str) -> Iterator[str]:
    for occurrence in count():
        changed = mutate_code(text, get_operator(f"core/{operator}")(), occurrence)
        if changed is None:
            return
        yield changed


def _is_program(text: str) -> bool:
    """Return whether Python accepts it: cosmic-ray takes the star among parameters for a product."""
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def _is_of_mypy(operator: str, text: str, changed: str) -> bool:
    if operator == "RemoveDecorator":
        return False
    pairs = zip(text.splitlines(), changed.splitlines(), strict=False)
    return any(_OF_MYPY.match(before) for before, after in pairs if before != after)


if __name__ == "__main__":
    main(sys.argv[1:])
