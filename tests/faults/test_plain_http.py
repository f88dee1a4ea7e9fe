"""An answer that broke off is not an answer, in whatever way its length is given."""

import pytest

from tests.faults.journal import PAGE
from tests.faults.plain_http import BrokenOff, read

COUNTED = b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"id": 5}'
CHUNKED = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html; charset=utf-8\r\nRetry-After: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n4\r\n<h1>\r\n5\r\n</h1>\r\n0\r\n\r\n"
)


def test_an_answer_is_read_with_its_headers() -> None:
    answer = read(CHUNKED)
    assert (answer.status, answer.shape, answer.headers["retry-after"]) == (503, PAGE, "5")
    assert read(COUNTED).status == 201


@pytest.mark.parametrize("whole", [COUNTED, CHUNKED])
def test_an_answer_that_breaks_off_anywhere_does_not_count(whole: bytes) -> None:
    for end in range(len(whole)):
        with pytest.raises(BrokenOff):
            read(whole[:end])
