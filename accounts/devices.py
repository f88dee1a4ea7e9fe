"""What to call the thing somebody signs in with, from what its browser says of itself. Never a proof of anything."""

from ua_parser import parse

_PLAIN = {"Mac OS X": "macOS", "Mobile Safari": "Safari", "Chrome Mobile": "Chrome", "Firefox Mobile": "Firefox"}


def device_label(user_agent: str) -> str:
    """“Firefox on Linux”, or as much of it as is known."""
    found = parse(user_agent[:200])
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    browser, system = _PLAIN.get(browser, browser), _PLAIN.get(system, system)
    if browser and system:
        return f"{browser} on {system}"
    return browser or (f"A browser on {system}" if system else "Unknown device")
