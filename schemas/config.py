"""
Shapes of the configuration's tables: `[gateway]`, `[apps.<name>]`, `[accounts.<name>]`, `[agents.<name>]`,
`[operators.<name>]`.

References are resolved before: a value that came from a file or the environment arrives as a `Secret`. Messages are
phrases that follow the key's path; they never contain the value.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import SplitResult, parse_qs, urlsplit

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate

from gateway.domain.collection import AGENT_KINDS
from gateway.domain.entry import ENTRY_KINDS
from gateway.domain.money import AMOUNT_FEN_MAX
from gateway.domain.operator import Role
from gateway.domain.secret import Secret
from gateway.domain.webhook import signing_key

NAME_PATTERN: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
"""Names of apps and accounts; an account's name stands in its callback address."""

Fault = tuple[str, str]
"""A key's path and what is wrong with its value."""

T = TypeVar("T")
_KEY_BYTES: Final = 32
_SIGNING_CHARACTERS_MIN: Final = 16
_REFERENCE_WANTED: Final = 'must be a reference, "file:…" or "env:…"'


def check_table(schema: Schema, path: str, table: object) -> tuple[dict[str, Any], list[Fault]]:
    """The valid keys of a table as values, and every fault of the others."""
    try:
        return dict(schema.load(table)), []  # type: ignore[arg-type]  # anything but a mapping is one of the faults
    except ValidationError as exc:
        valid = exc.valid_data if isinstance(exc.valid_data, dict) else {}
        return valid, list(_flatten(path, exc.messages))


def _flatten(path: str, messages: Any) -> Iterator[Fault]:
    """Marshmallow's nested messages as rows; `[2]` is the third entry of a list."""
    if not isinstance(messages, dict):
        yield from ((path, message) for message in messages)
        return
    for key, below in messages.items():
        step = "" if key == "_schema" else f"[{key}]" if isinstance(key, int) else f".{key}"
        yield from _flatten(path + step, below)


# --- how a value is read ----------------------------------------------------------------------------------------------


class Value(fields.Field[T]):
    """One value, read by a function that raises ValidationError with a phrase that follows the key's path."""

    def __init__(self, read: Callable[[Any], T], *, required: bool = False) -> None:
        super().__init__(required=required, error_messages={"required": "is missing"})
        self._read = read

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any) -> T:
        return self._read(value)


class Rows(fields.List[Any]):
    """A list with a limit on its length."""

    def __init__(self, read: Callable[[Any], T], least: int, most: int, *, required: bool = False) -> None:
        super().__init__(
            Value(read),
            required=required,
            validate=validate.Length(least, most, error=f"must have {least} to {most} entries"),
            error_messages={"required": "is missing", "invalid": "must be a list"},
        )


def _plain(value: object) -> object:
    """What is not secret by nature may come by reference all the same, and is shown in clear from here on."""
    return value.reveal() if isinstance(value, Secret) else value


def _text(pattern: str, wanted: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        plain = _plain(value)
        if not isinstance(plain, str) or re.fullmatch(pattern, plain) is None:
            raise ValidationError(f"must be {wanted}")
        return plain

    return read


def _one_of(names: Collection[str]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        plain = _plain(value)
        if not isinstance(plain, str) or plain not in names:
            raise ValidationError(f"must be one of {', '.join(names)}")
        return plain

    return read


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValidationError(f"must be a whole number, {least} to {most}")
        return value

    return read


def _seconds(most: int) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= most:
            raise ValidationError(f"must be a number of seconds, above 0 and at most {most}")
        return float(value)

    return read


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValidationError("must be true or false")
    return value


def _secret(value: Any) -> Secret:
    if not isinstance(value, Secret):
        raise ValidationError(_REFERENCE_WANTED)
    return value


def _signing_secret(value: Any) -> Secret:
    secret = _secret(value)
    if 0 < len(secret.reveal()) < _SIGNING_CHARACTERS_MIN:  # none at all is a reference that could not be resolved
        raise ValidationError(f"must have {_SIGNING_CHARACTERS_MIN} characters or more")
    return secret


def _sealing_key(value: Any) -> Secret:
    secret = _secret(value)
    try:
        length = len(base64.b64decode(secret.reveal(), validate=True))
    except (binascii.Error, ValueError):
        length = 0
    if length != _KEY_BYTES:
        raise ValidationError(f"must be {_KEY_BYTES} bytes in base64")
    return secret


_prefixed_digest: Final = _text("sha256:[0-9a-f]{64}", '"sha256:" and 64 lower-case hex digits')


def _digest(value: Any) -> str:
    return _prefixed_digest(value).removeprefix("sha256:")


def _network(value: Any) -> str:
    try:
        return str(ipaddress.ip_network(str(_plain(value))))
    except ValueError:
        raise ValidationError("must be a network such as 203.0.113.0/24, its host bits zero") from None


# --- addresses --------------------------------------------------------------------------------------------------------


def _database_url(value: Any) -> Secret:
    parts = _split(_plain(value))
    if parts is None or not _is_database(parts):
        raise ValidationError("must be sqlite:///<path> or postgresql://<host>/<database>")
    if parts.scheme == "sqlite" and parts.path == "/:memory:":
        raise ValidationError("must name a file: a database in memory keeps nothing")
    if not isinstance(value, Secret) and _has_password(parts):
        raise ValidationError(f"holds a password, so it {_REFERENCE_WANTED}")
    return value if isinstance(value, Secret) else Secret(value)


def _public_url(value: Any) -> str:
    parts = _split(_plain(value))
    if parts is None or not _is_http(parts) or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValidationError("must be http://… or https://…, without user, query and fragment")
    return parts.geturl().rstrip("/")


def _proxy_url(value: Any) -> str:
    parts = _split(_plain(value))
    if parts is None or not _is_http(parts) or parts.port is None:
        raise ValidationError("must be http://<host>:<port> or https://<host>:<port>")
    if not isinstance(value, Secret) and _has_password(parts):
        raise ValidationError(f"holds a password, so it {_REFERENCE_WANTED}")
    return parts.geturl()


def _webhook_url(value: Any) -> str:
    parts = _split(_plain(value))
    plain = parts.geturl() if parts else ""
    if parts is None or not _is_http(parts) or parts.fragment or "@" in parts.netloc or not plain.isascii():
        raise ValidationError("must be https://…, ASCII, without user and fragment")
    return plain


def _webhook_secret(value: Any) -> Secret:
    secret = _secret(value)
    try:
        signing_key(secret)
    except ValueError as exc:
        raise ValidationError(str(exc)) from None
    return secret


def _split(text: object) -> SplitResult | None:
    """The parts of an address, None when it cannot be read."""
    if not isinstance(text, str) or re.search(r"[\x00-\x1f\x7f]", text):
        return None
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises when it is not a port
    except ValueError:
        return None
    return parts


def _is_http(parts: SplitResult) -> bool:
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and " " not in parts.geturl()


def _is_database(parts: SplitResult) -> bool:
    if parts.scheme == "sqlite":
        return not parts.netloc and len(parts.path) > 1 and not parts.query and not parts.fragment
    return parts.scheme == "postgresql" and len(parts.path) > 1


def _has_password(parts: SplitResult) -> bool:
    return parts.password is not None or "password" in parse_qs(parts.query, keep_blank_values=True)


# --- tables -----------------------------------------------------------------------------------------------------------

_word: Final = _text("[a-z][a-z0-9_]{0,31}", "a word of lower-case letters, digits and _")
_region: Final = _text("[0-9]{6}", "an administrative division, 6 digits in quotes")
_method: Final = _text(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", "<provider>.<method>")


class TableSchema(Schema):
    """One table; a key that it does not know is a fault."""

    error_messages = {"unknown": "is not a known key", "type": "must be a table"}  # noqa: RUF012 - not theirs to annotate

    class Meta:
        unknown = RAISE


class GatewaySchema(TableSchema):
    """`[gateway]`."""

    database_url = Value(_database_url, required=True)
    public_base_url = Value(_public_url, required=True)
    data_keys = Rows(_sealing_key, 1, 8, required=True)
    index_key = Value(_sealing_key, required=True)
    token_key = Value(_sealing_key, required=True)
    order_ttl_seconds = Value(_whole(60, 7 * 86400))
    payment_ttl_seconds = Value(_whole(120, 7 * 86400))
    body_bytes_max = Value(_whole(8192, 1 << 20))
    trusted_proxies = Value(_whole(0, 8))
    bare_callbacks = Value(_flag)
    log_level = Value(_text("debug|info|warning|error", "debug, info, warning or error"))


class AppSchema(TableSchema):
    """`[apps.<name>]`."""

    entry = Value(_one_of(ENTRY_KINDS), required=True)
    api_keys = Rows(_digest, 1, 2, required=True)
    signing_secret = Value(_signing_secret)
    regions = Rows(_region, 1, 4000)
    methods = Rows(_method, 1, 200)
    webhook_url = Value(_webhook_url)
    webhook_secrets = Rows(_webhook_secret, 1, 4)
    webhook_networks = Rows(_network, 1, 50)


class AccountSchema(TableSchema):
    """`[accounts.<name>]`, as far as it is ours; the provider's own keys are left to its adapter."""

    provider = Value(_word, required=True)
    regions = Rows(_region, 0, 4000)
    callback_networks = Rows(_network, 0, 200)
    connect_seconds = Value(_seconds(30))
    answer_seconds = Value(_seconds(60))
    connections_max = Value(_whole(1, 1000))
    calls_per_second = Value(_whole(1, 10_000))
    ca_file = Value(_text(r"[^\x00-\x1f]{1,255}", "the name of a file"))
    proxy = Value(_proxy_url)

    class Meta:
        unknown = EXCLUDE


class AgentSchema(TableSchema):
    """`[agents.<name>]`: who collects outside the gateway."""

    code = Value(_text(r"[0-9A-Za-z][0-9A-Za-z_\-]{0,31}", "1 to 32 letters, digits, _ and -"), required=True)
    title = Value(_text(r"[^\x00-\x1f\x7f]{1,64}", "a text of 1 to 64 characters"), required=True)
    kind = Value(_one_of(AGENT_KINDS), required=True)
    regions = Rows(_region, 1, 4000)
    apps = Rows(_text(NAME_PATTERN.pattern, "the name of an app"), 1, 50, required=True)
    amount_fen_max = Value(_whole(1, AMOUNT_FEN_MAX))
    days_late_max = Value(_whole(1, 366))


class OperatorSchema(TableSchema):
    """`[operators.<name>]`: who looks after the gateway."""

    role = Value(_one_of([role.value for role in Role]), required=True)
    api_keys = Rows(_digest, 1, 2, required=True)


gateway_schema: Final = GatewaySchema()
app_schema: Final = AppSchema()
account_schema: Final = AccountSchema()
agent_schema: Final = AgentSchema()
operator_schema: Final = OperatorSchema()

FAMILIES: Final[Mapping[str, Schema]] = {
    "apps": app_schema,
    "accounts": account_schema,
    "agents": agent_schema,
    "operators": operator_schema,
}
"""The tables that hold one table for each name."""
