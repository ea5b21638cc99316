"""The HTTP edge, from the outside: requests in, bytes out."""
