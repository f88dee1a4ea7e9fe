"""wapiti crawls the signed-in site and attacks each form and parameter that it finds."""

import json

from tests.scanners.bounded import Result, bounded
from tests.scanners.demo_bank import DemoBank, SignedIn

MODULES = "sql,xss,exec,file,redirect,crlf,csrf,cookieflags,http_headers"
# Its complaints about every site on plain HTTP, and why they are not findings here.
EXPLAINED = {
    "Secure flag is not set": "the scanned bank speaks plain HTTP; with HTTPS they are secure (test_security_headers)"
}
# They would end the session that scans, or change the way in.
LEFT_OUT = ("/sign-out/", "/profile/sessions/", "/profile/authenticator/", "/password/", "/static/")


def run(program: str, bank: DemoBank, *, seconds: int, only: str = "") -> list[Result]:
    person, report = bank.sign_in("alice@example.com"), bank.folder / "wapiti.json"
    crawl = max(30, seconds // 3)
    command = [
        *(program, "-u", f"{bank.url}/dashboard/", "--scope", "domain", "-m", MODULES),
        *("-H", f"Cookie: {person.cookies}", "--skip", "csrfmiddlewaretoken"),
        *("--flush-session", "--store-session", str(bank.folder / "wapiti"), "--no-bugreport"),
        *("--max-scan-time", str(crawl), "--max-attack-time", str(max(10, (seconds - crawl) // 6))),
        *(
            "-d",
            "3",
            "--max-links-per-page",
            "25",
            "--max-files-per-dir",
            "12",
            "-S",
            "normal",
            "-l",
            "1",
            "-f",
            "json",
            "-o",
            str(report),
        ),
    ]
    for path in ("/history/", "/transfer/send/", "/help/", "/profile/", "/register/", "/admin/"):
        command += ["-s", bank.url + path]
    for path in LEFT_OUT:
        command += ["-x", f"{bank.url}{path}*"]
    text, is_whole = bounded(command, bank.folder, seconds + 60)
    (bank.folder / "wapiti.log").write_text(text)
    return _read(report.read_text() if report.exists() else "", is_whole, is_signed_in(person))


def is_signed_in(person: SignedIn) -> bool:
    """Check that it is signed in: otherwise the scan saw only the sign-in page."""
    return "Sign out" in person.get("/dashboard/")


def _read(report: str, is_whole: bool, still_signed_in: bool) -> list[Result]:
    if not report:
        return [Result("wapiti", "signed-in site", MODULES, "no report", ["It wrote no report."])]
    found = json.loads(report)
    all_of_them = [
        f"{kind}: {one['method']} {one['path']} {one.get('parameter') or ''} {one['info']}"
        for part in ("vulnerabilities", "anomalies")
        for kind, ones in found[part].items()
        for one in ones
    ]
    findings = [one for one in all_of_them if not any(known in one for known in EXPLAINED)]
    said = f"{found['infos'].get('crawled_pages_nbr', '?')} pages and forms"
    for known, why in EXPLAINED.items():
        said += f"; {sum(known in one for one in all_of_them)} x “{known}”: {why}"
    if not still_signed_in:
        findings.append("It was signed out meanwhile: the scan proves nothing.")
    return [Result("wapiti", "signed-in site", "all that it found", said + ("" if is_whole else ", cut"), findings)]
