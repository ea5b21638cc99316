"""`python -m gateway.cli`: the `jiaofei` command where it is not installed."""

from gateway.cli import main

main(prog_name="jiaofei")
