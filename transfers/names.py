"""How much of a person's name another customer sees."""

from accounts.models import User


def masked_name(user: User) -> str:
    """Before paying: enough to recognise whom one means, too little to learn who owns a number: `B•• M•••••`."""
    return " ".join(word[0] + "•" * min(len(word) - 1, 8) for word in user.get_full_name().split())


def short_name(user: User) -> str:
    """After money has passed between the two: `Bob M.`"""
    initial = f" {user.last_name[0]}." if user.last_name else ""
    return f"{user.first_name}{initial}"
