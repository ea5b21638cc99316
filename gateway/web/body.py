"""Reads a request's body whole, or not at all."""

from flask import Request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge


def read_body(request: Request) -> bytes:
    """
    The body's bytes, as they arrived.

    Werkzeug cuts a body without a stated length off at the limit in silence, and believes a server that says that it
    ends the stream; a signature over half a body, or half a JSON text that can be read, must not come of that.

    Raises:
        RequestEntityTooLarge: More bytes than the configured limit, stated or counted.
        ClientDisconnected: Fewer bytes than stated.
    """
    body = request.get_data(cache=False, parse_form_data=False)
    stated, limit = request.content_length, request.max_content_length
    if stated is None and limit is not None and len(body) >= limit and request.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge
    if stated is not None and stated != len(body):
        raise ClientDisconnected
    return body
