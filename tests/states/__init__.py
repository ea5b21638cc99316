"""Every state against every event, by doing it: what comes of each stands in docs/states.md."""
