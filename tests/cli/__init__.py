"""The `jiaofei` command, as an operator types it."""
