"""Attacks on the firewall, which refuses them (R8.4)."""

from collections.abc import Callable

from tests.asvs import proves
from tests.firewall.attacks import ATTACKS
from tests.firewall.visitor import Visitor


@proves("V1.2.4", "V1.5.3", "V4.1.4", "V4.2.1", "V13.4.4")
def test_no_attack_reaches_the_bank(visitor: Callable[..., Visitor]) -> None:
    attacker = visitor()
    passed = {}
    for name, attack in ATTACKS.items():
        answer = attack(attacker)
        if not answer.is_refusal:
            passed[name] = f"{answer.status}, {'asked the bank' if answer.reached_bank else 'no refusal'}"
    assert passed == {}
    assert len(ATTACKS) >= 25
