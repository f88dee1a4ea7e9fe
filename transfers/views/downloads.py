from django.http import HttpResponse

from transfers.services.exports import Download


def pdf_answer(download: Download) -> HttpResponse:
    """A document to save: nothing that a browser, or who comes after at it, keeps of its own accord (R8.2)."""
    return HttpResponse(
        b"".join(download.chunks),
        content_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{download.filename}"', "Cache-Control": "no-store"},
    )
