"""The types that deploy/firewall/nginx.conf compresses, read from there (docs/adr/0026)."""

import re
from pathlib import Path

_CONFIGURATION = Path(__file__).resolve().parent.parent / "deploy" / "firewall" / "nginx.conf"


def _block(begins: str) -> str:
    found = re.search(re.escape(begins) + r" \{\n(.*?)\n    \}", _CONFIGURATION.read_text(encoding="utf-8"), re.DOTALL)
    assert found, begins
    return found[1]


_paths = _block('map "$visitor $request_method $request_uri" $says_the_same_to_everybody')
(_visitors,) = re.findall(r'^ *"~\^nobody GET /\(\?:([\w/|-]+)\)/\$" 1;$', _paths, re.MULTILINE)
(_everybodys,) = re.findall(r'^ *"~\^\\w\+ GET (\S+)\$" 1;$', _paths, re.MULTILINE)

# Said to everybody without a session, and said to all.
VISITORS = {f"/{path}/" for path in _visitors.split("|")}
EVERYBODYS = {_everybodys.replace("\\", "")}
# With these cookies a client is still nobody.
(_names,) = re.findall(r'"~\^\(\?:\(\?:([\w|-]+)\)=', _block("map $http_cookie $visitor"))
COOKIES = set(_names.split("|"))
