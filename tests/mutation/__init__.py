"""Changes the money code by one small step at a time and asks whether a test notices; no file is touched."""
