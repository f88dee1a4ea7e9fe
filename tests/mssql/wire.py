"""A SQL Server that does nothing, over TCP: the drivers themselves talk to it, and it keeps their requests.

It knows as much of TDS (Microsoft's MS-TDS) as a connection without encryption and statements with values need. A
SELECT has no rows, except for the backend's own questions; every other statement affects one row, and returns its key
if it should.
"""

import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import NamedTuple

_PRELOGIN, _LOGIN, _BATCH, _CALL, _TRANSACTION = 0x12, 0x10, 0x01, 0x03, 0x0E
_PROCEDURES = {10: "sp_executesql", 11: "sp_prepare", 12: "sp_execute", 13: "sp_prepexec", 15: "sp_unprepare"}
_BEGIN, _COMMIT, _ROLLBACK = 5, 7, 8
_COLLATION = bytes.fromhex("0904d00034")
_DONE, _DONE_IN_PROCEDURE, _DONE_PROCEDURE = 0xFD, 0xFF, 0xFE
_MORE_FOLLOWS, _HAS_COUNT = 0x01, 0x10
_TRANSACTION_ID = b"\x08" + b"\x01" * 8


class Asked(NamedTuple):
    """One round trip: the procedure that was called, or `batch`, or BEGIN, COMMIT, ROLLBACK."""

    what: str
    text: str = ""
    declared: str = ""  # the types of its values

    @property
    def verb(self) -> str:
        """Return the statement's verb, without the backend's wrapping."""
        return re.sub(r"^SET NOCOUNT O(?:N|FF);? ", "", self.text).partition(" ")[0]


class Wire:
    """The server's end. `asked` holds the requests since the connection was made, in order."""

    def __init__(self, listening: socket.socket) -> None:
        self.port: int = listening.getsockname()[1]
        self.asked: list[Asked] = []
        self._listening = listening
        self._prepared = 0

    def serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as stream:
            while header := stream.read(8):
                message = stream.read(int.from_bytes(header[2:4], "big") - 8)
                while not header[1] & 1:  # more of the same message
                    more = stream.read(8)
                    message += stream.read(int.from_bytes(more[2:4], "big") - 8)
                    header = header[:1] + more[1:]
                answer = self._answer(header[0], message)
                client.sendall(struct.pack(">BBHHBB", 4, 1, len(answer) + 8, 51, 1, 0) + answer)

    def _answer(self, kind: int, message: bytes) -> bytes:
        if kind == _PRELOGIN:
            return _prelogin()
        if kind == _LOGIN:
            return _welcome()
        body = message[int.from_bytes(message[:4], "little") :]
        if kind == _BATCH:
            self.asked.append(Asked("batch", body.decode("utf-16-le")))
            return _result_of(self.asked[-1], _DONE)
        if kind == _CALL:
            return self._called(body)
        if kind == _TRANSACTION:
            return self._transaction(body)
        raise AssertionError(f"A message of an unknown kind: {kind}")

    def _called(self, body: bytes) -> bytes:
        name, rest = _name_of_procedure(body)
        if name != "sp_prepexec":
            self.asked.append(Asked(name))
            columns = _result_of(Asked(name, "SELECT"), _DONE_IN_PROCEDURE) if "describe" in name else b""
            return columns + _returned(0) + _done(_DONE_PROCEDURE)
        declared, text = _texts_in(rest)
        self.asked.append(Asked(name, text, declared))
        self._prepared += 1
        handle = struct.pack("<BHBBIHBBBi", 0xAC, 0, 0, 1, 0, 1, 0x26, 4, 4, self._prepared)
        return _result_of(self.asked[-1], _DONE_IN_PROCEDURE) + _returned(0) + handle + _done(_DONE_PROCEDURE)

    def _transaction(self, body: bytes) -> bytes:
        request = int.from_bytes(body[:2], "little")
        if request == _BEGIN:
            self.asked.append(Asked("BEGIN"))
            return _changed(8, _TRANSACTION_ID + b"\x00") + _done(_DONE)
        self.asked.append(Asked({_COMMIT: "COMMIT", _ROLLBACK: "ROLLBACK"}[request]))
        ended = _changed(9 if request == _COMMIT else 10, b"\x00" + _TRANSACTION_ID)
        begins_anew = body[3 + body[2]] & 1  # behind the name
        return ended + (_changed(8, _TRANSACTION_ID + b"\x00") if begins_anew else b"") + _done(_DONE)


@contextmanager
def wire() -> Iterator[Wire]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Wire(listening)
        Thread(target=server.serve, daemon=True).start()
        yield server
        listening.shutdown(socket.SHUT_RDWR)


# --- Tokens of TDS ------------------------------------------------------------------------------------------


def _name(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("utf-16-le")


def _changed(what: int, values: bytes) -> bytes:
    return struct.pack("<BHB", 0xE3, len(values) + 1, what) + values


def _done(token: int, count: int | None = None) -> bytes:
    status = (_MORE_FOLLOWS if token == _DONE_IN_PROCEDURE else 0) | (0 if count is None else _HAS_COUNT)
    return struct.pack("<BHHQ", token, status, 0, count or 0)


def _returned(status: int) -> bytes:
    return struct.pack("<Bi", 0x79, status)


def _prelogin() -> bytes:
    """Version 16; 2 says that nothing is encrypted; no MARS."""
    options = [(0, bytes([16, 0, 0, 0, 0, 0])), (1, b"\x02"), (2, b"\x00"), (3, b""), (4, b"\x00")]
    head, values = b"", b""
    for option, value in options:
        head += struct.pack(">BHH", option, 5 * len(options) + 1 + len(values), len(value))
        values += value
    return head + b"\xff" + values


def _welcome() -> bytes:
    version = b"\x01\x74\x00\x00\x04" + _name("Microsoft SQL Server") + bytes([16, 0, 0, 0])
    return (
        _changed(1, _name("bank") + _name("master"))
        + _changed(7, b"\x05" + _COLLATION + b"\x00")
        + struct.pack("<BH", 0xAD, len(version))
        + version
        + _changed(4, _name("4096") + _name("4096"))
        + b"\xae\xff"
        + _done(_DONE)
    )


def _result_of(asked: Asked, token: int) -> bytes:
    if asked.verb not in ("SELECT", "INSERT", "UPDATE", "DELETE"):
        return _done(token)
    gives_key = "OUTPUT INSERTED" in asked.text or "SCOPE_IDENTITY()" in asked.text
    if asked.verb != "SELECT" and not gives_key:
        return _done(token, 1)
    column = struct.pack("<BHIHBB", 0x81, 1, 0, 1, 0x26, 4) + _name("value")
    rows = 1 if gives_key or "@@TRANCOUNT" in asked.text or "SYSDATETIME" in asked.text else 0
    return column + rows * struct.pack("<BBi", 0xD1, 4, 1) + _done(token, rows)


# --- What a call says ---------------------------------------------------------------------------------------


def _name_of_procedure(body: bytes) -> tuple[str, bytes]:
    length = int.from_bytes(body[:2], "little")
    if length == 0xFFFF:
        number = int.from_bytes(body[2:4], "little")
        return _PROCEDURES.get(number, str(number)), body[6:]
    return body[2 : 2 + 2 * length].decode("utf-16-le"), body[4 + 2 * length :]


def _texts_in(parameters: bytes) -> list[str]:
    """Yield the texts of sp_prepexec: first comes the handle, a number; then, as `nvarchar(max)`, the declarations of
    the values, and the statement."""
    texts: list[str] = []
    at = 5 + parameters[4]  # no name, for output, a number of this many bytes
    while len(texts) < 2:
        if parameters[at : at + 5] != b"\x00\x00\xe7\xff\xff":
            raise AssertionError(f"No long text: {parameters[at:]!r}")
        at += 5 + len(_COLLATION) + 8
        text = b""
        while length := int.from_bytes(parameters[at : at + 4], "little"):
            text += parameters[at + 4 : at + 4 + length]
            at += 4 + length
        at += 4
        texts.append(text.decode("utf-16-le"))
    return texts
