"""`kdsync accept FORM | account`: an operator's word that what Kingdee shows now is the truth."""

from __future__ import annotations

from pathlib import Path

from kdsync.cli.opened import now_of, opened, page, print_json
from kdsync.errors import KdsyncError
from kdsync.store import forms, ledger

ACCOUNT = "account"
SOON = {
    ACCOUNT: "the account set that answers at the next login is taken for ours; a refused login is tried again within "
    "five minutes",
    "": "what {form} shows at the next look is taken for the truth, and deletions that were held back are told",
}


def accept(config: Path, what: str, *, json_output: bool) -> int:
    """Note it in the store; the daemon acts on it by itself."""
    with opened(config) as (loaded, database, _seal):
        with database.read() as tx:
            known = forms.as_stored(tx, loaded.settings.main.kingdee.acct_id, loaded.ruleset).forms
        form = next((form for form in known if form.casefold() == what.casefold()), "")
        if what != ACCOUNT and not form:
            watched = ", ".join(sorted(known)) or "none"
            raise KdsyncError(f"{what} is neither `account` nor a form that rules watch: {watched}")
        with database.write() as tx:
            if form:
                ledger.accept(tx, form, now_of(tx))
            else:
                ledger.forget_fact(tx, ledger.ACCOUNT + loaded.settings.main.kingdee.acct_id)
    if json_output:
        print_json({"accepted": form or ACCOUNT})
    else:
        page().print(SOON["" if form else ACCOUNT].format(form=form))
    return 0
