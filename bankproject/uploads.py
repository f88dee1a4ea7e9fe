"""Files in the body of a request, which no page of the bank takes (ASVS V5.2.1)."""

from typing import Any

from django.core.exceptions import BadRequest
from django.core.files.uploadhandler import FileUploadHandler


class NoFiles(FileUploadHandler):
    """Refuses a form with a file in it: 400, once the body is read and thrown away, bit by bit.

    Without any handler Django would hold the body in memory, and with its own ones, which run before a form is looked
    at, strangers could fill the disk. It is read to its end so that the client gets to the answer.
    """

    _has_file = False

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        self._has_file = True

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Keep nothing."""

    def file_complete(self, file_size: int) -> None:
        """Return no file."""

    def upload_complete(self) -> None:
        if self._has_file:
            raise BadRequest("a file was sent, and this page takes none")
