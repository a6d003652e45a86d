"""What the server can be asked, as OpenAPI and as a page."""

from __future__ import annotations

from html import escape
from http import HTTPStatus

from ..project import VERSION
from .limits import Limits


def _of(schema: str) -> dict:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


_ERROR, _STATUS = _of("Error"), _of("Status")
_FILE = {"type": "string", "format": "binary"}
_FACE = {
    "type": "object",
    "description": "One face, as in results.jsonl: see docs/results.md. Each attribute has a key of its own.",
    "required": ["box", "score"],
    "properties": {
        "box": {
            "description": "x, y, width, height in pixels of the upright picture",
            "type": "array",
            "items": {"type": "number"},
            "minItems": 4,
            "maxItems": 4,
        },
        "score": {"description": "the detector's, from 0 to 1", "type": "number"},
    },
}


def description(limits: Limits, *, has_token: bool) -> dict:
    """The document at /openapi.json."""
    schemes = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}} if has_token else {}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "facepipe",
            "version": VERSION,
            "description": "Finds the faces in pictures, with gender, emotion and age of each.",
        },
        "components": {"schemas": _SCHEMAS, **schemes},
        "security": [{"token": []}] if has_token else [],
        "paths": {
            "/v1/analyze": {"post": _analyze(limits, has_token)},
            "/v1/sources": {
                "get": {
                    "summary": "The sources of the run",
                    "responses": _responses({200: ("Their names", _of("Sources"))}, {}, has_token),
                }
            },
            "/v1/sources/{name}/snapshot.jpg": {
                "get": _of_source(
                    "The newest picture of a source, with boxes and labels",
                    {200: ("The picture", {"image/jpeg": {"schema": _FILE}})},
                    has_token,
                )
            },
            "/v1/sources/{name}/stream.mjpg": {
                "get": _of_source(
                    "The same as moving pictures, until the run is over",
                    {
                        200: ("Pictures", {"multipart/x-mixed-replace": {"schema": _FILE}}),
                        503: ("Too many streams.", _ERROR),
                    },
                    has_token,
                )
            },
            "/v1/sources/{name}/events": {"get": _events(has_token)},
            "/healthz": {"get": _open("Whether the server runs", {200: ("It runs.", _STATUS)})},
            "/readyz": {
                "get": _open(
                    "Whether it takes pictures now",
                    {200: ("It does.", _STATUS), 503: ("Too many pictures wait.", _STATUS)},
                )
            },
            "/openapi.json": {
                "get": _open(
                    "This description",
                    {200: ("OpenAPI 3.1", {"application/json": {"schema": {"type": "object"}}})},
                )
            },
            "/docs": {
                "get": _open(
                    "This description, to be read",
                    {200: ("A page", {"text/html": {"schema": {"type": "string"}}})},
                )
            },
        },
    }


_SCHEMAS = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "string", "description": "what is wrong, and what to do, in one sentence"}},
    },
    "Status": {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}},
    "Sources": {
        "type": "object",
        "required": ["run", "over", "sources"],
        "properties": {
            "run": {"type": ["string", "null"], "description": "its name in run.json; null: there is no run"},
            "over": {"type": "boolean", "description": "whether nothing comes any more"},
            "sources": {"type": "array", "items": {"type": "string"}},
        },
    },
    "Faces": {
        "type": "object",
        "required": ["width", "height", "faces"],
        "properties": {
            "width": {"type": "integer", "description": "pixels of the upright picture"},
            "height": {"type": "integer", "description": "pixels"},
            "faces": {"type": "array", "description": "from left to right", "items": _FACE},
        },
    },
}


def _analyze(limits: Limits, has_token: bool) -> dict:
    refused = {
        400: "The form cannot be read, or holds no picture.",
        406: "The header Accept allows neither JSON nor JPEG.",
        408: f"The body did not arrive in {limits.timeout_s:g} seconds.",
        413: f"More than {limits.body_bytes / 1e6:g} MB or {limits.pixels / 1e6:g} megapixels.",
        415: "The header Content-Type names no picture.",
        422: "The body is no picture that can be read.",
        503: "Too many pictures wait; the header Retry-After says when to come back.",
    }
    form = {"type": "object", "required": ["picture"], "properties": {"picture": _FILE}}
    found = {**_of("Faces"), "image/jpeg": {"schema": _FILE}}
    return {
        "summary": "Find the faces of one picture",
        "description": "The answer is JSON, or the picture with labels where the header Accept asks for image/jpeg.",
        "requestBody": {
            "required": True,
            "description": "the file of a picture: JPEG, PNG, WebP, TIFF, BMP, AVIF and others",
            "content": {
                "image/*": {"schema": _FILE},
                "application/octet-stream": {"schema": _FILE},
                "multipart/form-data": {"schema": form},
            },
        },
        "responses": _responses({200: ("The faces", found)}, refused, has_token),
    }


def _of_source(summary: str, answers: dict[int, tuple[str, dict]], has_token: bool) -> dict:
    refused = {404: "There is no such source, or it has no picture yet."}
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    return {"summary": summary, "parameters": [name], "responses": _responses(answers, refused, has_token)}


def _events(has_token: bool) -> dict:
    answers = {
        200: ("Events, each as JSON: see docs/people.md", {"text/event-stream": {"schema": {"type": "string"}}}),
        204: ("The run is over, and the client has all events.", {}),
        503: ("Too many streams.", _ERROR),
    }
    described = _of_source("The events of a source: all so far, and then as they happen", answers, has_token)
    header = {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "the id of the last event that is known; browsers send it by themselves",
        "schema": {"type": "string"},
    }
    described["parameters"].append(header)
    return described


def _open(summary: str, answers: dict[int, tuple[str, dict]]) -> dict:
    """An operation that needs no token."""
    return {"summary": summary, "security": [], "responses": _responses(answers, {}, False)}


def _responses(answers: dict[int, tuple[str, dict]], refused: dict[int, str], has_token: bool) -> dict:
    refused = refused | {403: "The request comes from a page of another site.", 429: "Too many requests a second."}
    if has_token:
        refused |= {401: "The token is missing or wrong."}
    every = answers | {status: (said, _ERROR) for status, said in refused.items()}
    return {str(status): {"description": said, "content": content} for status, (said, content) in sorted(every.items())}


def page(described: dict) -> str:
    """The document as HTML, without a script and without anything from elsewhere."""
    info = described["info"]
    sections = "".join(
        _section(method, path, operation)
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        '<meta name="viewport" content="width=device-width">'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50em;margin:2em auto;padding:0 1em;color:#222;"
        "background:#fff}h2{font:600 18px ui-monospace,monospace;margin-top:2em}td{padding:.1em 1em .1em 0;"
        "vertical-align:top}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}a{color:#8bf}}</style>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
        f'<p>The same for programs: <a href="openapi.json">openapi.json</a></p>{sections}</html>'
    )


def _section(method: str, path: str, operation: dict) -> str:
    takes = operation.get("requestBody", {}).get("content", {})
    takes = f"<p>Takes {escape(', '.join(takes))}.</p>" if takes else ""
    rows = "".join(
        f"<tr><td>{status} {escape(HTTPStatus(int(status)).phrase)}<td>{escape(answer['description'])}"
        f"<td>{escape(', '.join(answer.get('content', {})))}"
        for status, answer in operation["responses"].items()
    )
    said = f"<p>{escape(operation['description'])}</p>" if "description" in operation else ""
    return (
        f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(operation['summary'])}.</p>{said}{takes}"
        f"<table>{rows}</table>"
    )
