"""Who a change in Kingdee is made as: the integration's user, or the Kingdee user who asked for it.

Nobody is guessed. Whoever writes a message is found by the operator's table, else by what DingTalk knows of them, and
counts as a Kingdee user only where looking from there leads back to the same person; several or none is a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kdsync import logs
from kdsync.dingtalk.contacts import Contact
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.people import People as KingdeePeople
from kdsync.kingdee.persons import Hands, Persons
from kdsync.services.desk import NotThemselvesError
from kdsync.services.people import People
from kdsync.settings.schema import Directory

log = logs.get("acting")
USERS = "SEC_User"


@dataclass(frozen=True, slots=True)
class Accounts:
    """The Kingdee accounts of people in DingTalk. Raises EdgeError where that cannot be asked now."""

    users: KingdeePeople
    contact: Callable[[str], Contact | None]
    people: People
    directory: Callable[[], Directory]

    def of_receiver(self, user_id: str) -> str:
        """The account of a Kingdee user for whom a task waits."""
        found = self.users.person(user_id, USERS)
        if found is None or not found.account:
            raise NotThemselvesError(f"Kingdee does not show the account of its user {user_id}")
        return found.account

    def of_sender(self, userid: str) -> str:
        """The one account of somebody in DingTalk."""
        named = [account for account, whom in self.directory().users.items() if whom == userid]
        return _only(named or self._matching(userid), userid)

    def _matching(self, userid: str) -> list[str]:
        contact = self.contact(userid)
        if contact is None:
            return []
        found: dict[str, str] = {}
        for way in self.directory().match:
            number = contact.mobile if way == "mobile" else contact.job_number
            found |= self.users.users_with(way, number) if number else {}
        return [account for user_id, account in found.items() if self.people.find(user_id, USERS).userid == userid]


def _only(accounts: Iterable[str], userid: str) -> str:
    found = sorted(set(accounts))
    if not found:
        raise NotThemselvesError(f"no Kingdee user is known to be {userid}; name them in directory.yaml under users:")
    if len(found) > 1:
        several = ", ".join(found)
        raise NotThemselvesError(f"{userid} is several Kingdee users: {several}; leave one of them under users:")
    return found[0]


@dataclass(frozen=True, slots=True)
class Acting:
    """Hands for each write: `own` are the integration's."""

    own: Hands
    persons: Persons
    accounts: Accounts
    as_person: bool

    def hands(self, sender: str, receiver: str) -> Hands:
        """Those that write what `sender` asked for, where a task is answered as its `receiver`, whom they were found
        to be. NotThemselvesError where it has to be done as a person and cannot, EdgeError where it may be later."""
        if not self.as_person:
            return self.own
        account = self.accounts.of_receiver(receiver) if receiver else self.accounts.of_sender(sender)
        try:
            hands = self.persons.hands(account)
        except EdgeError as error:
            if error.kind not in (FailureKind.CONFIGURATION, FailureKind.REFUSED):
                raise
            log.warning("person.not_let_in", account=account, user=sender, error=str(error), cure=error.cure)
            raise NotThemselvesError(f"{account}: {error.words or error.message}", login=True) from error
        log.info("write.as_person", account=account, user=sender)
        return hands
