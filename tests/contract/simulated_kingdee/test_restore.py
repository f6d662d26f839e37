"""A backup that is put back, and another account set behind the address."""

from __future__ import annotations

from kdsync.clock import FakeClock
from kdsync.simulator.kingdee import SimulatedKingdee
from tests.contract.simulated_kingdee.conftest import Caller

FORM = "AP_PAYBILL"


def test_a_restored_backup_gives_ids_and_numbers_again(erp: SimulatedKingdee, clock: FakeClock) -> None:
    kept = erp.create(FORM)
    backup = erp.backup()
    clock.advance(60)
    erp.edit(FORM, kept, FREMARK="later")
    lost = erp.create(FORM)
    number = erp.document(FORM, lost)["FBillNo"]
    erp.restore(backup)
    assert [document["FID"] for document in erp.documents(FORM)] == [kept]
    assert erp.document(FORM, kept)["FREMARK"] != "later"
    clock.advance(60)
    again = erp.create(FORM)
    assert again == lost
    assert erp.document(FORM, again)["FBillNo"] == number


def test_a_login_names_the_account_set(erp: SimulatedKingdee, stranger: Caller) -> None:
    context = stranger.log_in()["Context"]
    assert (context["DBid"], context["DataCenterName"]) == (erp.credentials.acct_id, "kdsync")
    erp.data_centre = ("another", "copy")
    assert stranger.log_in()["Context"]["DBid"] == "another"
