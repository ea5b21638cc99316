"""A small invented provider: JSON signed with HMAC-SHA256, amounts in yuan. It proves the suite and shows a case."""
