"""The HTTP server of `facepipe serve`: faces of pictures that are posted to it, and the sources of a run.

`app` has the answers, `access` and `rate` decide who gets one, `protocol` ends connections that hold others up, and
`server` puts them together. Starlette and uvicorn are imported here and nowhere else.
"""
