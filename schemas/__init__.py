"""Our own public JSON and configuration, as marshmallow schemas. No provider's wire format lives here."""
