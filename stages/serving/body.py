"""The picture that a request holds: its body, or the file in a form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from .access import Refused
from .limits import PARTS, Limits

FORM = "multipart/form-data"


class _InMemory(MultiPartParser):
    """Writes nothing to the disk: what is parsed is in memory already."""

    spool_max_size = 2**62


async def picture_in(request: Request, limits: Limits) -> bytes:
    """The bytes of the picture file; raises `Refused`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    _check_kind(kind, request.headers.get("content-encoding", "identity").strip().lower())
    body = await _body(request, limits)
    return await _file_in(request, body) if kind == FORM else body


def _check_kind(kind: str, encoding: str) -> None:
    if encoding not in ("", "identity"):
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body is compressed once more; leave out Content-Encoding, and send the picture file as it is.",
        )
    if kind not in ("", "application/octet-stream", FORM) and not kind.startswith("image/"):
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"The header Content-Type names no picture; send the file with image/jpeg or the like, or as {FORM}.",
        )


async def _body(request: Request, limits: Limits) -> bytes:
    body = bytearray()
    try:
        if int(request.headers.get("content-length", 0)) > limits.body_bytes:
            raise _too_large(limits)
        async with asyncio.timeout(limits.timeout_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.body_bytes:
                    raise _too_large(limits)
    except TimeoutError:
        raise Refused(
            HTTPStatus.REQUEST_TIMEOUT,
            f"The body did not arrive in {limits.timeout_s:g} seconds.",
            {"Connection": "close"},
        ) from None
    except ClientDisconnect:
        raise Refused(HTTPStatus.BAD_REQUEST, "The body ended too early.") from None  # Nobody reads it.
    return bytes(body)


def _too_large(limits: Limits) -> Refused:
    return Refused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The body is larger than {limits.body_bytes / 1e6:g} MB; send a smaller file.",
    )


async def _file_in(request: Request, body: bytes) -> bytes:
    async def whole() -> AsyncIterator[bytes]:
        yield body
        yield b""

    try:
        form = await _InMemory(request.headers, whole(), max_files=PARTS, max_fields=PARTS).parse()
    except (MultiPartException, KeyError, ValueError) as error:  # No boundary, or one that is no text.
        why = error.message if isinstance(error, MultiPartException) else "it names no boundary"
        raise Refused(HTTPStatus.BAD_REQUEST, f"The form cannot be read: {why.rstrip('.')}.") from None
    try:
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        if len(files) != 1:
            raise Refused(
                HTTPStatus.BAD_REQUEST,
                f"The form holds {len(files)} files; send one picture, as curl -F picture=@FILE does.",
            )
        return await files[0].read()
    finally:
        await form.close()
