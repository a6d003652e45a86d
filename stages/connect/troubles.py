"""Why a destination cannot be used, in words that go on after its name."""

from __future__ import annotations

import http.client
import socket
import ssl

from ..errors import reason


def why_unreachable(error: Exception) -> str:
    """In words of a sentence, without what may be a secret."""
    match error:
        case TimeoutError():
            return "does not answer in time"
        case socket.gaierror():
            return "cannot be reached: its name is not known; look at the name and at the network"
        case ssl.SSLCertVerificationError():
            return f"has a certificate that is not trusted: {error.verify_message.rstrip('.')}"
        case ssl.SSLError():
            return f"cannot be spoken to by TLS: {(error.reason or 'it failed').replace('_', ' ').lower()}"
        case http.client.RemoteDisconnected():
            return "closes the connection without an answer"
        case http.client.HTTPException():
            return f"sends what is not HTTP ({type(error).__name__})"
        case _:
            return f"cannot be reached: {reason(error)}"
