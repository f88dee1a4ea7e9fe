"""Data that honest people and programs send, and that a firewall without knowledge of the bank takes for an attack."""

# What people write to each other, to the bank, and on payments.
TEXTS = (
    "O'Brien – rent & café",
    "50% off -- order 12",
    "rent & café; see you <3",
    "Please select a union for the drop table lunch",
    "1=1 or bust",
    "Order by Friday; from where shall I select?",
    "Insert coin, update me, delete this later",
    "I would like to drop the table and chairs order; select others from the list",
    "Rock 'n' roll -- tickets & beer; 2 x 25.00",
    "Dinner @ Luigi's (pizza, pasta) + tip = 48.50",
    "invoice #2026-11/0042; due 30.11.",
    "Re: your mail; see https://example.com/help?topic=fees&lang=en",
    "Thanks! <3 <3",
    "a < b and b > c, so a != c || d",
    "if (paid) then thank you; else please pay",
    "50 % off; cat food & dog food",
    "nice to see you; time to eat; find me at the bar",
    "The password page says 'wrong code' – what now?",
    "Why was my card declined? I typed: 12/27",
    "my address is C:\\Users\\anna on the form",
    "C/O Smith & Sons, 3rd floor -- ring twice",
    "Script for the school play; alert the parents (all 12)!",
    "Java, PHP & Python course: 3 evenings",
    "exec summary; curl hair salon; wget it done",
    "Benzin/gas; ls -- Lisa's scooter; who am I to judge",
    "union fees; select committee dinner",
    "Наём квартиры; спасибо, Дмитрий Иванов & Ольга",
    "Ενοίκιο Νοεμβρίου – ευχαριστώ; Αθήνα",
    "नवंबर का किराया, धन्यवाद",
    "Müller & Söhne – Überweisung für Möbel",
    "François, garçon, à bientôt – déjà vu",
    "دفع الإيجار لشهر نوفمبر",
    "家賃11月分、ありがとう!",
    "十一月房租;谢谢",
    "Аренда за ноябрь – спасибо",
    "שכר דירה לנובמבר",
    "🎉 birthday 🎂 for Zoë 💶",
    "ไทย: ค่าเช่าบ้าน",
    "{curly} [square] (round) `ticks` ^hat~ |pipe| $5",
    "Line one\nLine two; -- kind regards,\nO'Neil",
    "Total: 3*25 + 4/2 - 1; 10 000,00 € (ca. 100%)",
    "I'm locked out, can't sign in & don't know why -- help?",
    "grant me a favour; execute the plan; declare war on dust",
    "Two words: 'or' and 'and'. 'a' or 'b' = 'c'",
    "Sleep 8 hours; benchmark the mattress later",
    "Where is the transaction? It's null and void; I want it undone #now",
    "version() of the app: 3.1; @home",
)

NAMES = (
    ("Sinéad", "O'Brien"),
    ("Jürgen", "Müller"),
    ("François", "Lefèvre"),
    ("Chiara", "D’Angelo-Smith"),
    ("محمد", "الأمين"),
    ("太郎", "山田"),
    ("小明", "王"),
    ("Дмитрий", "Иванов"),
    ("Ольга", "Наумкина"),
    ("Jean-Luc", "de la Table"),
    ("Drop", "Null"),
    ("Björk", "Guðmundsdóttir"),
)

# A password may be anything: no rule looks at it.
PASSWORDS = ("' OR 1=1 -- ", "<script>alert(1)</script>", "; cat /etc/passwd | nc", "correct horse battery staple")

HISTORY_FILTERS = (
    {"date_from": "2026-01-01", "date_to": "2026-11-30"},
    {"min_amount": "10.50", "max_amount": "1,000.00"},
    {"min_amount": "10,50", "type": "transfer"},
    {"min_amount": "₹1,23,456.78", "max_amount": "1’234’567.50 CHF"},
    {"min_amount": "\u200e€\u00a01.234,50", "max_amount": "1\u202f234,56\u00a0€"},
    {"text": "O'Brien"},
    {"text": "rent & café; see you <3"},
    {"text": "50% off -- order 12"},
    {"text": "家賃"},
    {"text": "select a union"},
    {"type": "deposit", "text": "", "min_amount": "", "max_amount": ""},
)

STAFF_LISTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/admin/", {}),
    ("/admin/accounts/user/", {"q": "O'Brien"}),
    ("/admin/accounts/user/", {"q": "Müller"}),
    ("/admin/accounts/user/", {"q": "d'angelo-smith@example.com"}),
    ("/admin/accounts/user/", {"is_active__exact": "1", "role": "customer", "o": "-1.2", "p": "0"}),
    ("/admin/accounts/user/", {"created_at__year": "2026", "created_at__month": "11"}),
    ("/admin/accounts/user/", {"created_at__gte": "2026-11-01 00:00:00+00:00", "created_at__lt": "2026-12-01"}),
    ("/admin/accounts/bankaccount/", {"q": "山田"}),
    ("/admin/accounts/bankaccount/", {"kind__exact": "savings", "status__exact": "active", "of": "customers"}),
    ("/admin/transfers/transaction/", {"amount_from": "10", "amount_to": "1,000.00", "kind__exact": "transfer"}),
    ("/admin/transfers/transaction/", {"user": "alice@example.com", "created_at__day": "3"}),
    ("/admin/transfers/entry/", {"account": "DE00 1234 5678"}),
    ("/admin/support/ticket/", {"q": "o'brien", "status": "open"}),
    ("/admin/audit/auditentry/", {"action__exact": "sign_in.failed", "actor": "alice@example.com"}),
    ("/admin/audit/auditentry/", {"concerns": "bob+test@example.com", "at__year": "2026"}),
)

# The API's bodies, by method and path; the bank's answers do not matter here.
API = (
    (
        "POST",
        "/api/v1/auth/login",
        {"email": "alice@example.com", "password": "' OR 1=1 -- <script>", "code": "123456"},
    ),
    ("POST", "/api/v1/auth/refresh", {"refresh_token": "eyJhbGciOiJIUzI1NiJ9.e30.x-_x"}),
    ("POST", "/api/v1/transfers", {"amount": "12.50", "currency": "EUR", "description": "50% off -- order 12"}),
    ("POST", "/api/v1/transfers", {"amount": "12.50", "description": "O'Brien – rent & café; see you <3"}),
    ("POST", "/api/v1/transfers", {"description": "select a union for the drop table lunch", "to": {"number": "DE12"}}),
    ("POST", "/api/v1/transfers", {"description": "1=1 or bust", "reference": "A-12/34"}),
    ("POST", "/api/v1/tickets", {"subject": "Why?", "text": "Line one\nLine two; -- O'Neil & <3"}),
    ("POST", "/api/v1/tickets/1/replies", {"text": "家賃11月分、ありがとう! 🎉"}),
    (
        "PATCH",
        "/api/v1/profile",
        {"phone": "+353 1 555 0101", "address": "3 Rue de l'Étoile; bât. B", "code": "123456"},
    ),
    (
        "POST",
        "/api/v1/requests",
        {
            "kind": "update_identity",
            "first_name": "Sinéad",
            "last_name": "O'Brien",
            "reason": "I'm married; papers follow",
        },
    ),
    ("PATCH", "/api/v1/accounts/1", {"nickname": "Mum & Dad's 50%"}),
    ("PUT", "/api/v1/payees/1", {"label": "D’Angelo-Smith (rent)"}),
    (
        "POST",
        "/api/v1/transfers/many",
        [{"amount": "1.00", "description": "a"}, {"amount": "2.00", "description": "b"}],
    ),
    (
        "POST",
        "/api/v1/requests",
        {"kind": "raise_daily_limit", "reason": "I'm buying a flat; see the contract -- thanks"},
    ),
)

# A browser's reports of what a page's policy stopped, by kind: addresses, and what somebody tried to inject.
REPORTS = (
    (
        "application/csp-report",
        {
            "csp-report": {
                "document-uri": "https://127.0.0.1:8443/dashboard/?older_than=5",
                "referrer": "https://127.0.0.1:8443/",
                "violated-directive": "script-src-elem",
                "effective-directive": "script-src-elem",
                "original-policy": "default-src 'none'; script-src 'self'; report-uri /csp-reports/",
                "blocked-uri": "http://198.51.100.1/x.js?a=<script>",
                "script-sample": "alert(document.cookie); eval('1')",
            }
        },
    ),
    (
        "application/reports+json",
        [
            {
                "age": 12,
                "type": "csp-violation",
                "url": "https://localhost/sign-in/",
                "user_agent": "Mozilla/5.0",
                "body": {
                    "documentURL": "https://localhost/sign-in/?next=/accounts/",
                    "blockedURL": "inline",
                    "effectiveDirective": "style-src-attr",
                    "sample": "<svg onload=alert(1)>",
                },
            }
        ],
    ),
)

# A number as people group it, in an address of the API; and an address in another script, which is not ours.
PATHS = (
    "/api/v1/accounts/1234%205678%209012/transactions",
    "/api/v1/accounts/1234%20-%205678%20-%209012",
    "/api/v1/accounts/1234%C2%A05678%C2%A09012",
    "/.well-known/change-password",
    "/.well-known/security.txt",
    "/robots.txt",
    "/favicon.ico",
    "/%C3%BCber-uns/",
    "/apple-touch-icon-120x120-precomposed.png",
)

REASONS = (
    "Asked for on the phone; called back -- it's O'Brien",
    "Told: select a new code & drop the old one <today>",
    "دفع مرتين / 家賃 / Müller",
)
