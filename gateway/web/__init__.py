"""The HTTP edge: reads requests, asks services, writes answers. No rule of the order model lives here."""
