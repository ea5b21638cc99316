"""Jiaofei: a payment gateway for public premiums that never loses, never charges twice and never guesses."""

__version__ = "0.1.0"
