"""The services that judge for us: set up, tried and held back by people, all on the record.

accounts    set up, change and remove a service
checked     what may be said of one, and what is wrong with it
trial       ask one something harmless, to see whether it works
breakers    hold a breaker open or closed, and leave it to the rules again
"""

from moderation.services.accounts import (
    SUBJECT,
    change_service,
    get_account,
    list_accounts,
    remove_service,
    set_up_service,
)
from moderation.services.breakers import breaker_states, hold_breaker, release_breaker
from moderation.services.checked import LONGEST_NAME, SetUp
from moderation.services.trial import Trial, last_trial, try_service

__all__ = [
    "LONGEST_NAME",
    "SUBJECT",
    "SetUp",
    "Trial",
    "breaker_states",
    "change_service",
    "get_account",
    "hold_breaker",
    "last_trial",
    "list_accounts",
    "release_breaker",
    "remove_service",
    "set_up_service",
    "try_service",
]
