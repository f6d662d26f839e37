"""What is known of the forms people ask about most, for servers that do not tell.

Form ids and keys are those of the in-product WebAPI help pages and of published exports; every account set may differ,
so `metadata` corrects them where it can be read. A key that is not sure to be there is left to the metadata, because
one wrong key fails a whole query.
"""

from __future__ import annotations

from typing import Any

from kdsync.model import Facts

NOT_WRITTEN_OFF = "FWRITTENOFFSTATUS <> 'C'"
NOT_CLOSED = "FCloseStatus = 'A'"


def _title(zh: str, en: str, vi: str) -> dict[str, str]:
    return {"zh": zh, "en": en, "vi": vi}


def _bill(form: str, zh: str, en: str, vi: str, **known: Any) -> Facts:
    """A business document; whether it can be closed differs from form to form."""
    return Facts(form, **{"close": None, "entry": "FEntity", "title": _title(zh, en, vi), **known})


def _record(form: str, zh: str, en: str, vi: str, **known: Any) -> Facts:
    """Master data: a number of its own, nothing to void or close, and an audit date whose name differs."""
    return Facts(
        form,
        **{
            "number": "FNumber",
            "cancel": None,
            "close": None,
            "approved": None,
            "approver": None,
            "title": _title(zh, en, vi),
            **known,
        },
    )


_UPPER = {"status": "FDOCUMENTSTATUS", "cancel": "FCANCELSTATUS", "creator": "FCREATORID"}
_CLOSABLE = {"close": "FCloseStatus", "open": NOT_CLOSED}
_NOTHING: dict[str, Any] = dict.fromkeys(
    ("number", "status", "cancel", "close", "created", "modified", "approved", "creator", "modifier", "approver")
)

# fmt: off
KNOWN: tuple[Facts, ...] = (
    _bill("ER_ExpReimbursement", "费用报销单", "Expense claim", "Đề nghị thanh toán chi phí"),
    _bill("ER_ExpReimbursement_Travel", "差旅费报销单", "Travel expense claim", "Đề nghị thanh toán công tác phí"),
    _bill("ER_ExpenseRequest", "费用申请单", "Expense request", "Đề nghị chi phí", **_CLOSABLE),
    _bill("ER_ExpenseRequest_Travel", "出差申请单", "Travel request", "Đề nghị công tác", **_CLOSABLE),
    _bill("CN_PAYAPPLY", "付款申请单", "Payment application", "Đề nghị thanh toán",
          **_UPPER, close="FCLOSESTATUS", open="FCLOSESTATUS = 'A'", entry="FPAYAPPLYENTRY"),
    _bill("AP_PAYBILL", "付款单", "Payment", "Phiếu chi", status="FDOCUMENTSTATUS", entry="FPAYBILLENTRY"),
    _bill("AP_Payable", "应付单", "Payable", "Công nợ phải trả", open=NOT_WRITTEN_OFF, entry="FEntityDetail"),
    _bill("AP_OtherPayable", "其他应付单", "Other payable", "Công nợ phải trả khác"),
    _bill("AR_receivable", "应收单", "Receivable", "Công nợ phải thu", open=NOT_WRITTEN_OFF, entry="FEntityDetail"),
    _bill("AR_RECEIVEBILL", "收款单", "Receipt", "Phiếu thu", open=NOT_WRITTEN_OFF, entry="FRECEIVEBILLENTRY"),
    _bill("AR_REFUNDBILL", "收款退款单", "Receipt refund", "Phiếu hoàn tiền",
          open=NOT_WRITTEN_OFF, entry="FREFUNDBILLENTRY"),
    _bill("PUR_PurchaseOrder", "采购订单", "Purchase order", "Đơn mua hàng", **_CLOSABLE, entry="FPOOrderEntry"),
    _bill("PUR_Requisition", "采购申请单", "Purchase requisition", "Đề nghị mua hàng"),
    _bill("PUR_ReceiveBill", "收料通知单", "Receiving notice", "Thông báo nhận hàng", entry="FDetailEntity"),
    _bill("SAL_SaleOrder", "销售订单", "Sales order", "Đơn bán hàng", **_CLOSABLE, entry="FSaleOrderEntry"),
    _bill("SAL_OUTSTOCK", "销售出库单", "Delivery", "Phiếu xuất kho bán hàng"),
    _bill("STK_InStock", "采购入库单", "Purchase receipt", "Phiếu nhập kho mua hàng", entry="FInStockEntry"),
    Facts("STK_Inventory", **_NOTHING, title=_title("即时库存", "Stock", "Tồn kho")),
    _record("BD_MATERIAL", "物料", "Material", "Vật tư", pk="FMATERIALID"),
    _record("BD_Supplier", "供应商", "Supplier", "Nhà cung cấp", pk="FSupplierId"),
    _record("BD_Customer", "客户", "Customer", "Khách hàng", pk="FCUSTID"),
    _record("BD_Empinfo", "员工", "Employee", "Nhân viên"),
    Facts("SEC_User", **{**_NOTHING, "number": "FUserAccount", "created": "FCreateDate"}, pk="FUserID",
          title=_title("用户", "User", "Người dùng")),
    _bill("GL_VOUCHER", "凭证", "Voucher", "Chứng từ kế toán", pk="FVOUCHERID", number="FVOUCHERGROUPNO",
          cancel=None, approved=None),
)
# fmt: on

_BY_NAME = {facts.form.casefold(): facts for facts in KNOWN}


def known(form: str) -> Facts | None:
    """What is known of `form`, in whatever case it is written; None where nothing is."""
    return _BY_NAME.get(form.casefold())


def facts_without_metadata(form: str) -> Facts:
    """What is known of `form` or, where nothing is, what most bills have."""
    return known(form) or Facts(form)
