"""A good key under another name than Bearer lets nobody in, and a token begins as it always has."""

from collections.abc import Mapping

import pytest

from tests.web.front import API_KEY, OPERATOR_KEY, Front, b64url

HEADERS = {
    "other-scheme": {"Authorization": "Basic {key}"},
    "no-scheme": {"Authorization": "{key}"},
    "blank-scheme": {"Authorization": " {key}"},
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize(
    ("method", "path", "key"),
    [("GET", "/v1/orders", API_KEY), ("POST", "/ops/v1/replays", OPERATOR_KEY)],
    ids=["app", "operator"],
)
def test_known_key_under_another_scheme_gets_401(
    front: Front, method: str, path: str, key: str, headers: Mapping[str, str]
) -> None:
    """What else the header may mean is not guessed."""
    named = {name: value.format(key=key) for name, value in headers.items()}
    body = {} if method == "POST" else None
    with_bearer = front.call(method, path, body=body, credential=key)
    response = front.call(method, path, body=body, credential=None, headers=named)

    assert with_bearer.status_code != 401
    assert (401, "unauthorized") == (response.status_code, response.get_json()["code"])


def test_order_token_begins_so_that_it_is_known_for_one(front: Front) -> None:
    """Browsers hold tokens of the version before; what scans for leaked secrets knows the beginning."""
    claims = b64url(b"wallet\x1ford")[:12]

    assert front.opened()["order_token"].startswith(f"jot_{claims}")
