"""SM2 signatures in the tests' own few lines, with a nonce made from key and message: equal calls, equal bytes."""

from functools import cache
from typing import Final

from cryptography.hazmat.primitives import hashes

P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A: Final = P - 3
B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GX: Final = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY: Final = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0

Point = tuple[int, int] | None


def sm3(*parts: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    for part in parts:
        digest.update(part)
    return digest.finalize()


def add(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return one or other
    if one[0] == other[0] and (one[1] + other[1]) % P == 0:
        return None
    if one == other:
        slope = (3 * one[0] ** 2 + A) * pow(2 * one[1], -1, P) % P
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, P) % P
    x = (slope**2 - one[0] - other[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def times(number: int, point: Point) -> Point:
    total: Point = None
    while number:
        if number & 1:
            total = add(total, point)
        point, number = add(point, point), number >> 1
    return total


@cache
def public_point(d: int) -> bytes:
    point = times(d, (GX, GY))
    assert point is not None
    return point[0].to_bytes(32) + point[1].to_bytes(32)


@cache
def sign(d: int, message: bytes, user_id: bytes) -> bytes:
    """Raw r‖s. Source: GB/T 32918.2, sections 6.1 and 5.5, from memory; checked against two libraries."""
    curve = b"".join(number.to_bytes(32) for number in (A, B, GX, GY))
    z = sm3((8 * len(user_id)).to_bytes(2), user_id, curve, public_point(d))
    e = int.from_bytes(sm3(z, message))
    k = int.from_bytes(sm3(d.to_bytes(32), z, message)) % (N - 1) + 1
    point = times(k, (GX, GY))
    assert point is not None
    r = (e + point[0]) % N
    s = pow(1 + d, -1, N) * (k - r * d) % N
    assert 0 not in (r, s, (r + k) % N)
    return r.to_bytes(32) + s.to_bytes(32)
