"""Which role may do what another may."""

from itertools import pairwise, product

import pytest

from gateway.domain.operator import Role, may_act_as

LADDER = (Role.VIEWER, Role.OPERATOR, Role.APPROVER, Role.ADMIN)


@pytest.mark.parametrize(("role", "wanted"), list(product(LADDER, LADDER)))
def test_role_may_do_its_own_and_all_below(role: Role, wanted: Role) -> None:
    """A ladder: each step includes those under it, and none above."""
    assert (LADDER.index(role) >= LADDER.index(wanted)) is may_act_as(role, wanted)


def test_ladder_has_every_role() -> None:
    """A new role needs its place."""
    assert set(Role) == set(LADDER)
    assert all(may_act_as(above, below) for below, above in pairwise(LADDER))
