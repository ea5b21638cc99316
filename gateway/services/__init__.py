"""Use cases, one file each. They own the units of work; the network is called between them, never inside one."""
