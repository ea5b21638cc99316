"""What is read of collected records."""

from gateway.domain.collection import Collection, CollectionState
from gateway.domain.refusal import Refusal
from gateway.services.deps import Deps
from gateway.store.families.collections import collection, collections_of_person, collections_page


def collection_of(deps: Deps, app: str, collection_id: str) -> Collection:
    """
    A record that this app submitted.

    Raises:
        Refusal: not_found.
    """
    found = collection(deps.store.read(), collection_id)
    if found is None or found.app != app:
        raise Refusal("not_found", "there is no such collection")
    return found


def collections_of(
    deps: Deps, app: str, *, before: str, limit: int, state: CollectionState | None, batch_id: str | None
) -> list[Collection]:
    """A page of an app's records, newest first."""
    return collections_page(deps.store.read(), app, before=before, limit=limit, state=state, batch_id=batch_id)


def collections_about(deps: Deps, id_type: str, id_number: str) -> list[Collection]:
    """Every record about a person, found by the blind index; the number is normalised as in `Person`."""
    index = deps.vault.blind_index("insured", id_type, id_number)
    return collections_of_person(deps.store.read(), index)
