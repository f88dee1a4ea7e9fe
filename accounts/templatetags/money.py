from decimal import Decimal

from django import template

from accounts.money import format_money

register = template.Library()


@register.filter
def money(amount: Decimal) -> str:
    """`1234.5` as `€1,234.50`, in the page's language."""
    return format_money(amount)


@register.filter
def money_signed(amount: Decimal) -> str:
    """The same with its sign always written: `+€5.00`, `−€5.00` (a real minus, which screen readers say)."""
    return f"{'−' if amount < 0 else '+'}{format_money(abs(amount))}"
