"""The plain function in front of Flask answers as the Flask route does."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway.domain.provider import Callback, CallbackRefused, RawCallback
from tests.web.front import PROBLEM, Front, problem
from tests.web.recorder import PATH, Recorder

OddRequest = dict[str, Any]
LIMIT = 65536
REQUESTS: dict[str, OddRequest] = {
    "genuine": {"headers": {"X-Signature": "genuine"}, "data": b'{"dedup_key":"d","event":"e","report":null}'},
    "forged": {"data": b"{}"},
    "unreadable": {"headers": {"X-Signature": "genuine"}, "data": b"junk"},
    "refunds": {"path": f"{PATH}/refunds", "data": b"{}"},
    "trailing-slash": {"path": f"{PATH}/", "data": b"{}"},
    "trailing-path": {"path": f"{PATH}/more", "data": b"{}"},
    "unknown-account": {"path": "/callbacks/alpha/nobody", "data": b"{}"},
    "doubled-slash": {"path": "/callbacks//alpha/alpha_main", "data": b"{}"},
    "no-account": {"path": "/callbacks/", "data": b"{}"},
    "empty": {"data": b""},
    "no-length": {"input_stream": io.BytesIO(b"{}"), "environ_overrides": {"CONTENT_LENGTH": ""}},
    "length-of-text": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "two"}},
    "length-negative": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "-2"}},
    "length-plus": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "+2"}},
    "length-with-zeros": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "0" * 20 + "2"}},
    "length-full-width": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "２"}},
    "length-beyond-the-body": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "3"}},
    "length-beyond-the-body-terminated": {
        "data": b"{}",
        "environ_overrides": {"CONTENT_LENGTH": "3", "wsgi.input_terminated": True},
    },
    "length-of-5000-digits": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "9" * 5000}},
    "length-of-gigabytes": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "0000000019999999999"}},
    "chunked": {
        "input_stream": io.BytesIO(b"{}"),
        "headers": {"Transfer-Encoding": "chunked"},
        "environ_overrides": {"wsgi.input_terminated": True},
    },
    "chunked-with-length": {"data": b"{}", "headers": {"Transfer-Encoding": "chunked"}},
    "at-the-limit": {"data": b"x" * LIMIT},
    "chunked-at-the-limit": {
        "input_stream": io.BytesIO(b"x" * LIMIT),
        "headers": {"Transfer-Encoding": "chunked"},
        "environ_overrides": {"wsgi.input_terminated": True},
    },
    "too-long": {"data": b"x" * (LIMIT + 1)},
    "chunked-too-long": {
        "input_stream": io.BytesIO(b"x" * (LIMIT + 1)),
        "headers": {"Transfer-Encoding": "chunked"},
        "environ_overrides": {"wsgi.input_terminated": True},
    },
    "get": {"method": "GET"},
    "head": {"method": "HEAD"},
    "put": {"method": "PUT", "data": b"{}"},
    "options": {"method": "OPTIONS"},
    "form": {"data": b"a=1&b=2", "content_type": "application/x-www-form-urlencoded"},
    "query": {"path": f"{PATH}?a=1", "data": b"{}"},
    "junk-host": {"data": b"{}", "environ_overrides": {"HTTP_HOST": "a b"}},
}


def told(front: Front, request: OddRequest) -> tuple[Any, ...]:
    """What the client reads, and what the adapter was given."""
    recorder = Recorder(CallbackRefused("none"))
    parse = front.alpha.parse_callback

    def record(raw: RawCallback) -> Callback:
        recorder.seen.append(raw)
        return parse(raw)

    front.alpha.parse_callback = record
    members = {"path": PATH, "method": "POST"} | request
    if "input_stream" in members:
        members["input_stream"] = io.BytesIO(members["input_stream"].getvalue())
    response: TestResponse = front.client.open(members.pop("path"), **members)
    body = response.data
    if response.content_type == PROBLEM and body:
        body = body.replace(response.get_json()["request_id"].encode(), b"req")
    seen = [(raw.body, dict(raw.headers)) for raw in recorder.seen]
    return response.status, body, response.content_type, response.headers.get("Allow"), seen


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
def test_bare_front_answers_like_the_flask_route(make_front: Callable[..., Front], request_: OddRequest) -> None:
    """To the byte, and what the adapter sees is the same, too."""
    flask, bare = make_front(), make_front(bare_callbacks=True)
    expected = told(flask, request_)
    actual = told(bare, request_)

    assert expected == actual


def test_bare_front_keeps_the_framework_out_of_a_plain_callback(make_front: Callable[..., Front]) -> None:
    """Otherwise it would be no gain."""
    front = make_front(bare_callbacks=True)
    began: list[int] = []
    front.app.before_request_funcs[None].insert(0, lambda: began.append(1))
    front.client.post(PATH, data=b"{}")
    plain = len(began)
    front.client.get(PATH)

    assert (plain, len(began)) == (0, 1)


def test_bare_front_leaves_an_adapters_bug_to_the_frameworks_error_table(
    make_front: Callable[..., Front], logged: list[dict[str, Any]]
) -> None:
    """500 without a word of it, logged once."""
    front = make_front(bare_callbacks=True)
    front.alpha.parse_callback = Recorder(ZeroDivisionError("canary-of-the-bug"))
    response = front.client.post(PATH, data=b"{}")

    assert problem(response) == (500, "internal_error")
    assert [event["error"] for event in logged if event["event"] == "request_failed"] == ["ZeroDivisionError"]
    assert "canary" not in response.text + str(logged)
