"""Words that stay whole at the end of a line, on pages of 320 pixels, too (R10.2)."""

from foundation.templatetags.bank import keep_together
from tests.tables import in_one_world


@in_one_world(
    ("text", "html"),
    [
        ("Confirm your e-mail", 'Confirm your <span class="text-nowrap">e-mail</span>'),
        ("Two-factor sign-in", '<span class="text-nowrap">Two-factor</span> <span class="text-nowrap">sign-in</span>'),
        ("like 2026-11-30.", 'like <span class="text-nowrap">2026-11-30</span>.'),
        ("reference K7QP-9XDM-2FRT", 'reference <span class="text-nowrap">K7QP-9XDM-2FRT</span>'),
        ("Household •••• 1234", 'Household <span class="font-monospace text-nowrap">•••• 1234</span>'),
        ("Wide-mailed re-mailing 12026-11-30", "Wide-mailed re-mailing 12026-11-30"),
        ("", ""),
    ],
)
def test_known_words_and_numbers_are_kept_whole(text: str, html: str) -> None:
    assert keep_together(text) == html


def test_what_customers_write_is_escaped() -> None:
    # R8.3
    assert keep_together("<b>e-mail</b>") == '&lt;b&gt;<span class="text-nowrap">e-mail</span>&lt;/b&gt;'
