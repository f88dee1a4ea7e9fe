"""What a movement is called where people speak of it."""

import secrets

# Crockford's base 32 without the look-alikes: people read references to each other on the phone.
_REFERENCE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_reference() -> str:
    """What customers quote: `K7QP-9XDM-2FRT`, 60 random bits."""
    text = "".join(secrets.choice(_REFERENCE_ALPHABET) for _ in range(12))
    return f"{text[:4]}-{text[4:8]}-{text[8:]}"
