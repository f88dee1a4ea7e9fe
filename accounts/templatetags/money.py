from decimal import Decimal

from django import template

from accounts.money import format_money, format_money_short, format_money_signed, format_rate

register = template.Library()


@register.filter
def money(amount: Decimal) -> str:
    """`1234.5` as `€1,234.50`, in the page's language."""
    return format_money(amount)


@register.filter
def money_short(amount: Decimal) -> str:
    """`2500` as `€2.5K`: for round amounts only, such as those of a scale."""
    return format_money_short(amount)


@register.filter
def money_signed(amount: Decimal) -> str:
    """With its sign always written: `+€5.00`, `−€5.00`."""
    return format_money_signed(amount)


@register.filter
def rate(value: Decimal) -> str:
    """`0.015` as `1.5%`, in the page's language."""
    return format_rate(value)
