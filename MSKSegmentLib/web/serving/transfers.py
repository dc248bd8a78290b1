"""Files to and from the page: uploads into the service, downloads of the open result."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
import zipfile
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from ...errors import MSKSegmentError
from ...results.result_folder import MEASUREMENTS, SEGMENTATION
from ..case.documents import DOCUMENTS, NOTHING_OPEN, Document
from ..case.service import ReviewService
from ..case.uploads import Upload

_CHUNK_BYTES = 1 << 20
# The page is not redrawn more often than this while a file arrives.
_SHOW_EVERY_S = 0.25
_FILES = {MEASUREMENTS: "text/csv", SEGMENTATION: "application/octet-stream"}
ARCHIVE = "result.zip"
# So many made documents wait to be fetched; a page fetches its own at once.
_MOST_MADE = 4
_KINDS = {".pdf": "application/pdf", ".html": "text/html", ".zip": "application/zip"}
# Compressing images again takes much time and saves no space.
_STORED = (".nrrd", ".mrb", ".gz", ".zip", ".png")


def add_transfers(app: web.Application, service: ReviewService) -> None:
    """Add the routes of the page's files, and ``GET /alive``.

    ``POST /upload`` takes a scan, ``GET /download/<name>`` gives a file of the open result. A document that has to be made first is
    asked for by ``POST /make/<name>``; the answer says why it cannot be, or gives the key of ``GET /made/<key>``, once.
    """
    made: dict[str, Document] = {}

    async def upload(request: web.Request) -> web.Response:
        return await _receive(request, service)

    async def download(request: web.Request) -> web.StreamResponse:
        return await _send(request.match_info["name"], service)

    async def make(request: web.Request) -> web.Response:
        return await _make(request.match_info["name"], service, made)

    async def fetch(request: web.Request) -> web.StreamResponse:
        return await _send_made(made.pop(request.match_info["key"], None))

    async def alive(request: web.Request) -> web.Response:
        return web.Response(text="yes")

    app.router.add_get("/alive", alive)
    app.router.add_post("/upload", upload)
    app.router.add_get("/download/{name}", download)
    app.router.add_post("/make/{name}", make)
    app.router.add_get("/made/{key}", fetch)


async def _receive(request: web.Request, service: ReviewService) -> web.Response:
    name = unquote(request.headers.get("X-File-Name", "upload"))
    upload: Upload | None = None
    try:
        upload = service.begin_upload(name, request.content_length or 0)
        await _fill(request, upload, service)
        arrived = await asyncio.get_running_loop().run_in_executor(None, upload.finish)
    except MSKSegmentError as error:
        if upload is not None:
            upload.discard()
            service.show_upload(None)
        service.refuse(str(error))
        return web.json_response({"ok": False, "sentence": str(error)}, status=422)
    except BaseException as error:
        # The browser has gone, the server ends, or the drive is full: nothing is left behind.
        if upload is not None:
            upload.discard()
            service.show_upload(None)
        if isinstance(error, OSError) and not isinstance(error, ConnectionError):
            service.refuse("The file could not be stored; free space on the drive of the results and upload it again.")
        raise
    service.show_upload(None)
    service.take(arrived)
    return web.json_response({"ok": True, "sentence": f"{upload.name} has arrived."})


async def _fill(request: web.Request, upload: Upload, service: ReviewService) -> None:
    loop = asyncio.get_running_loop()
    shown = loop.time()
    async for chunk in request.content.iter_chunked(_CHUNK_BYTES):
        upload.write(chunk)
        if loop.time() - shown > _SHOW_EVERY_S:
            shown = loop.time()
            service.show_upload(upload.progress)


async def _send(name: str, service: ReviewService) -> web.StreamResponse:
    if service.opened is None:
        return web.Response(status=404, text=NOTHING_OPEN)
    try:
        await service.opened.write_segmentation()
    except MSKSegmentError as error:
        return web.Response(status=500, text=str(error))
    folder, title = service.opened.folder, service.opened.name
    if name == ARCHIVE:
        file = await asyncio.get_running_loop().run_in_executor(None, archive, folder, title)
        return _Once(file, _disposition(f"{title}.zip"), "application/zip")
    if name not in _FILES or not (folder / name).is_file():
        return web.Response(status=404, text="There is no such file.")
    return web.FileResponse(folder / name, headers=_disposition(f"{title}_{name}") | {"Content-Type": _FILES[name]})


async def _make(name: str, service: ReviewService, made: dict[str, Document]) -> web.Response:
    if name not in DOCUMENTS:
        return web.Response(status=404, text="There is no such file.")
    service.dismiss()
    try:
        document = await service.documents.make(name, service.opened)
    except MSKSegmentError as error:
        service.refuse(str(error))
        return web.json_response({"ok": False, "sentence": str(error)}, status=422)
    # Not by its name: another browser may ask for the same one.
    key = secrets.token_urlsafe(16)
    while len(made) >= _MOST_MADE:
        shutil.rmtree(made.pop(next(iter(made))).path.parent, ignore_errors=True)
    made[key] = document
    return web.json_response({"ok": True, "sentence": f"{DOCUMENTS[name]} has been made.", "key": key})


async def _send_made(document: Document | None) -> web.StreamResponse:
    if document is None:
        return web.Response(status=404, text="There is no such file.")
    path = document.path
    if path.is_dir():
        file = await asyncio.get_running_loop().run_in_executor(None, archive, path, document.title)
        shutil.rmtree(path.parent, ignore_errors=True)
        path = file
    return _Once(path, _disposition(f"{document.title}_{document.name}"), _KINDS[Path(document.name).suffix])


def archive(folder: Path, title: str) -> Path:
    """A zip of a result folder in a temporary file; hidden files such as the lock, and links, stay out."""
    with tempfile.NamedTemporaryFile(prefix="msk-", suffix=".zip", delete=False) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
            for path in sorted(folder.rglob("*")):
                inside = path.relative_to(folder)
                if path.is_symlink() or not path.is_file() or any(part.startswith(".") for part in inside.parts):
                    continue
                kind = zipfile.ZIP_STORED if path.name.endswith(_STORED) else zipfile.ZIP_DEFLATED
                target.write(path, Path(title, inside).as_posix(), kind)
        return Path(file.name)


class _Once(web.FileResponse):
    """A temporary file that is removed when it has been sent."""

    def __init__(self, path: Path, headers: dict[str, str], kind: str) -> None:
        super().__init__(path, headers=headers | {"Content-Type": kind})
        self._temporary = path

    async def prepare(self, request: web.BaseRequest):  # type: ignore[no-untyped-def]
        """Send the file, then remove it, also when the browser has gone."""
        try:
            return await super().prepare(request)
        finally:
            self._temporary.unlink(missing_ok=True)


def _disposition(name: str) -> dict[str, str]:
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
    return {"Content-Disposition": f'attachment; filename="{plain}"'}
