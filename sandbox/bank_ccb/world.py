"""What every operation works with beside the common things: keys, book, and where notifies go."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import frame
from sandbox.bank_ccb.keys import BankCcbKeys
from sandbox.bank_ccb.orders import Book


@dataclass(kw_only=True)
class World(frame.World):
    """
    The bank's side of the table.

    Attributes:
        counter_keys: Oldest first; the newest signs, the two newest are taken in MACs.
        notify_url: Of the merchant's server; the merchant sets it in the bank's merchant platform, not in an order.
        page_url: Where the payer's browser goes afterwards; empty where the merchant has set none.
    """

    keys: BankCcbKeys
    book: Book
    counter_keys: list[rsa.RSAPrivateKey] = field(repr=False)
    notify_url: str
    page_url: str
