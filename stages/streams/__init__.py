"""Streams: the annotated video while it is made, sent to an RTSP server or written as HLS.

`render` keeps a short queue for each stream and never waits for it (sending.py); a process of its own encodes and sends
(`python -m stages.streams`). One that is killed, hangs or loses its server costs frames of its stream and nothing else.
"""
