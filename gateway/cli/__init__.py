"""The `jiaofei` command: what an operator types. Each command is a thin shell round the composition root."""

import click

from gateway.cli.attention import alarms
from gateway.cli.audited import audit
from gateway.cli.checks import config, db
from gateway.cli.collected import collections
from gateway.cli.edge import Commands
from gateway.cli.new_configuration import init
from gateway.cli.offline_refunds import offline_refund
from gateway.cli.replayed import replay
from gateway.cli.review_items import reviews
from gateway.cli.sent_webhooks import webhooks
from gateway.cli.servers import sandbox, serve, worker
from gateway.cli.stored_orders import orders


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """
    Jiaofei (缴费), a payment gateway for public premiums.

    The configuration is the file that GATEWAY_CONFIG names, else gateway.toml in this folder.
    """


for command in (
    init,
    serve,
    worker,
    sandbox,
    db,
    config,
    orders,
    collections,
    reviews,
    alarms,
    audit,
    replay,
    offline_refund,
    webhooks,
):
    main.add_command(command)
