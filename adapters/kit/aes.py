"""
Content encryption (接口内容加密) as Alipay and ICBC do it: AES in CBC mode, an IV of 16 zero bytes, PKCS#7, base64.

Sign after, verify before.
"""

import base64
import binascii
from typing import Final

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK_BITS: Final = 128
_ZERO_IV: Final = bytes(16)
_KEY_BYTES: Final = (16, 24, 32)


def load_content_key(text: str) -> bytes:
    """
    Read the AES key as the provider's console shows it: base64.

    Raises:
        ValueError: Not base64, or not 16, 24 or 32 bytes.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None
    if len(key) not in _KEY_BYTES:
        raise ValueError("is not an AES key of 16, 24 or 32 bytes")
    return key


def _cipher(key: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(key), modes.CBC(_ZERO_IV))


def encrypt_content(key: bytes, text: str) -> str:
    """
    Encrypt a content; equal texts give equal ciphertexts. The ciphertext is what is signed and sent.

    Source: Alipay's SDK nodejs 4.14.0 (aesEncryptText), vector aes.json; sheet bank.md section 4.2, vector
    icbc_request.json (api-orderqry-aes).
    """
    padder = padding.PKCS7(_BLOCK_BITS).padder()
    padded = padder.update(text.encode("utf-8")) + padder.finalize()
    encryptor = _cipher(key).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode("ascii")


def decrypt_content(key: bytes, ciphertext: str) -> bytes:
    """
    Decrypt a content, after its signature was checked.

    Raises:
        ValueError: Not base64, not whole blocks, or broken padding.
    """
    decryptor = _cipher(key).decryptor()
    padded = decryptor.update(base64.b64decode(ciphertext, validate=True)) + decryptor.finalize()
    unpadder = padding.PKCS7(_BLOCK_BITS).unpadder()
    return unpadder.update(padded) + unpadder.finalize()
