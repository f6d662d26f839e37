"""The forms that the simulated Kingdee is installed with. Keys as public integrations use them."""

from __future__ import annotations

from collections.abc import Mapping

from kdsync.simulator.kingdee_forms import Form

_WHO = "FCreatorId>SEC_User FCreateDate:datetime FModifierId>SEC_User FModifyDate:datetime "
_APPROVED = "FApproverId>SEC_User FApproveDate:datetime "
_BILL = "FBillNo FDocumentStatus FCancelStatus " + _WHO + _APPROVED
_CANCELLED = "FCancelDate:datetime FCancellerId>SEC_User "
_CLOSED = "FCloseStatus FCloseDate:datetime FCloserId>SEC_User "
_ORDER = _BILL + _CANCELLED + _CLOSED + "FDate:date FBillTypeID> "
_BASE = "FNumber FName FDocumentStatus FForbidStatus FCreateOrgId>ORG_Organizations FUseOrgId>ORG_Organizations " + _WHO
_AUDITED = "FAuditorId>SEC_User FAuditDate:datetime "
_CONTACT = "FCONTACTUNITTYPE FCONTACTUNIT> "

_EXPENSES = (
    Form.parse(
        "ER_ExpReimbursement",
        _BILL + _CONTACT + "FDate:date FCausa FProposerID>BD_Empinfo FRequestDeptID>BD_Department FRequestType "
        "FOrgID>ORG_Organizations FExpenseOrgId>ORG_Organizations FPayOrgId>ORG_Organizations FCurrencyID>BD_Currency "
        "FRealPay:flag FExpAmountSum:amount FReqAmountSum:amount",
        {
            "FEntity": "FExpID>BD_Expense FExpenseAmount:amount FExpSubmitAmount:amount FRequestAmount:amount "
            "FPayedAmount:amount FRefundedAmount:amount FBorrowAmount:amount FOffsetAmount:amount "
            "FReimbNotPayAmount:amount FRemark"
        },
        prefix="FYBX",
        name="费用报销单",
    ),
    Form.parse(
        "ER_ExpenseRequest",
        _BILL + _CLOSED + "FDate:date FStaffID>BD_Empinfo FDeptID>BD_Department FOrgID>ORG_Organizations "
        "FCostOrgID>ORG_Organizations FReason FIsBorrow:flag",
        {"FEntity": "FExpenseItemID>BD_Expense FOrgAmount:amount FCheckedOrgAmount:amount FRemark"},
        prefix="FYSQ",
        name="费用申请单",
    ),
)

_PAYMENTS = (
    Form.parse(
        "CN_PAYAPPLY",
        _BILL + _CLOSED + _CONTACT + "FBILLTYPEID> FDATE:date FENDDATE:date FCURRENCYID>BD_Currency "
        "FPAYAMOUNTFOR_H:amount FAPPLYAMOUNTFOR_H:amount FSETTLECUR>BD_Currency FSETTLEORGID>ORG_Organizations "
        "FDEPARTMENT>BD_Department FDescription",
        {
            "FPAYAPPLYENTRY": "FPAYPURPOSEID>CN_RECPAYPURPOSE FCOSTID>BD_Expense FAPPLYAMOUNTFOR:amount "
            "FPAYAMOUNTFOR:amount"
        },
        prefix="FKSQ",
        name="付款申请单",
    ),
    Form.parse(
        "AP_PAYBILL",
        _BILL + _CONTACT + "FBillTypeID> FDATE:date FREMARK FPAYORGID>ORG_Organizations FCURRENCYID>BD_Currency "
        "FSETTLEORGID>ORG_Organizations FPAYAMOUNTFOR:amount FREALPAYAMOUNTFOR:amount FWRITTENOFFSTATUS",
        {
            "FPAYBILLENTRY": "FSETTLETYPEID>BD_SETTLETYPE FPURPOSEID>CN_RECPAYPURPOSE FCOSTID>BD_Expense "
            "FEXPENSEDEPTID_E>BD_Department FHANDLINGCHARGEFOR:amount FREALPAYAMOUNTFOR_D:amount FCOMMENT",
            "FPAYBILLSRCENTRY": "FSOURCETYPE FSRCBILLNO FSRCSEQNO:int",
        },
        prefix="FKD",
        name="付款单",
    ),
    Form.parse(
        "AP_Payable",
        _BILL + "FBillTypeID> FDATE:date FENDDATE:date FSUPPLIERID>BD_Supplier FSETTLEORGID>ORG_Organizations "
        "FCURRENCYID>BD_Currency FALLAMOUNTFOR:amount FWRITTENOFFSTATUS FOPENSTATUS FSetAccountType",
        {"FEntityDetail": "FMATERIALID>BD_MATERIAL FPriceQty:amount FALLAMOUNT_D:amount FTAXAMOUNTFOR_D:amount"},
        prefix="AP",
        name="应付单",
    ),
)

_RECEIPTS = (
    Form.parse(
        "AR_receivable",
        _BILL + "FBillTypeID> FDATE:date FENDDATE:date FCUSTOMERID>BD_Customer FSETTLEORGID>ORG_Organizations "
        "FCURRENCYID>BD_Currency FSALEERID>BD_Empinfo FALLAMOUNTFOR:amount FRECEIVEAMOUNT:amount "
        "FNORECEIVEAMOUNT:amount FIVALLAMOUNTFOR:amount FWRITTENOFFSTATUS FOPENSTATUS",
        {
            "FEntityDetail": "FMATERIALID>BD_MATERIAL FPriceQty:amount FALLAMOUNTFOR_D:amount",
            "FEntityPlan": "FPLANENDDATE:date FPAYAMOUNTFOR:amount FPAYRATE:amount FWRITTENOFFAMOUNTFOR:amount",
        },
        prefix="AR",
        name="应收单",
    ),
    Form.parse(
        "AR_RECEIVEBILL",
        _BILL + _CONTACT + "FBILLTYPEID> FDATE:date FSALEERID>BD_Empinfo FPAYUNIT> FPAYORGID>ORG_Organizations "
        "FCURRENCYID>BD_Currency FRECAMOUNTFOR:amount FREALRECAMOUNTFOR:amount FWRITTENOFFSTATUS FTHIRDBILLNO FREMARK",
        {
            "FRECEIVEBILLENTRY": "FPURPOSEID>CN_RECPAYPURPOSE FSETTLETYPEID>BD_SETTLETYPE FACCOUNTID>CN_BANKACNT "
            "FRECAMOUNTFOR_E:amount FREALRECAMOUNTFOR_D:amount FWRITTENOFFAMOUNTFOR_D:amount FCOMMENT"
        },
        prefix="SKD",
        name="收款单",
    ),
)

_TRADE = (
    Form.parse(
        "PUR_PurchaseOrder",
        _ORDER + "FSupplierId>BD_Supplier FPurchaseOrgId>ORG_Organizations FPurchaseDeptId>BD_Department "
        "FPurchaserId>BD_Empinfo FSettleCurrId>BD_Currency FBillAllAmount:amount FBillAmount:amount",
        {
            "FPOOrderEntry": "FMaterialId>BD_MATERIAL FQty:amount FDeliveryDate:datetime FPrice:amount "
            "FTaxPrice:amount FEntryTaxAmount:amount FAllAmount:amount FRemainReceiveQty:amount FMRPCloseStatus "
            "FSrcBillTypeId FSrcBillNo"
        },
        prefix="CGDD",
        name="采购订单",
    ),
    Form.parse(
        "PUR_Requisition",
        _ORDER + "FApplicationDate:date FApplicationOrgId>ORG_Organizations FApplicantId>BD_Empinfo FNote",
        {
            "FEntity": "FMaterialId>BD_MATERIAL FReqQty:amount FARRIVALDATE:datetime FSuggestSupplierId>BD_Supplier "
            "FMRPCloseStatus"
        },
        prefix="CGSQ",
        name="采购申请单",
    ),
    Form.parse(
        "SAL_SaleOrder",
        _ORDER + "FCustId>BD_Customer FSaleOrgId>ORG_Organizations FSaleDeptId>BD_Department FSalerId>BD_Empinfo "
        "FSettleCurrId>BD_Currency FLocalCurrId>BD_Currency FBillAllAmount:amount FNote",
        {
            "FSaleOrderEntry": "FMaterialId>BD_MATERIAL FQty:amount FPrice:amount FTaxPrice:amount FAmount:amount "
            "FTaxAmount:amount FAllAmount:amount FDeliveryDate:datetime FMRPCloseStatus"
        },
        prefix="XSDD",
        name="销售订单",
    ),
    Form.parse(
        "STK_Inventory",
        "FMaterialId>BD_MATERIAL FStockId>BD_STOCK FStockOrgId>ORG_Organizations FStockStatusId>BD_StockStatus FLot> "
        "FBaseUnitId>BD_UNIT FQty:amount FBaseQty:amount FSecQty:amount FAVBQty:amount FBaseAVBQty:amount "
        "FProduceDate:datetime FExpiryDate:datetime FMtoNo",
        pk_kind="text",
        number="",
        status="",
        approved="",
        approver="",
        name="即时库存",
    ),
)

_MASTER = (
    Form.parse(
        "BD_MATERIAL",
        _BASE + _APPROVED + "FSpecification FBaseUnitId>BD_UNIT FMaterialGroup> FSafeStock:amount FMinStock:amount "
        "FMaxStock:amount",
        pk="FMATERIALID",
        number="FNumber",
        prefix="M",
        name="物料",
        base_data=True,
    ),
    Form.parse(
        "BD_Supplier",
        _BASE + _AUDITED + "FShortName FSOCIALCRECODE FGroup>",
        pk="FSupplierId",
        number="FNumber",
        approved="FAuditDate",
        approver="FAuditorId",
        prefix="VEN",
        name="供应商",
        base_data=True,
    ),
    Form.parse(
        "GL_VOUCHER",
        "FVOUCHERGROUPNO FDocumentStatus FDate:date FYear:int FPeriod:int FVoucherGroupID>BD_VoucherGroup "
        "FAccountBookID>BD_AccountBook FDEBITTOTAL:amount FCREDITTOTAL:amount "
        + _WHO
        + "FApproverId>SEC_User FAuditDate:datetime",
        {"FEntity": "FAccountID>BD_Account FExplanation FDebit:amount FCredit:amount"},
        pk="FVoucherID",
        number="FVOUCHERGROUPNO",
        approved="FAuditDate",
        prefix="",
        name="凭证",
    ),
    Form.parse(
        "SEC_User",
        "FUserAccount FName FPhone FEmail FForbidStatus FLinkObject>BD_Person FPRIMARYGROUP> FDESCRIPTION " + _WHO,
        pk="FUserID",
        number="FUserAccount",
        status="",
        approved="",
        approver="",
        name="用户",
        base_data=True,
    ),
    Form.parse(
        "BD_Empinfo",
        _BASE + _AUDITED + "FStaffNumber FMobile FTel FEmail FPersonID>BD_Person FPostDept>BD_Department",
        number="FNumber",
        approved="FAuditDate",
        approver="FAuditorId",
        prefix="EMP",
        name="员工",
        base_data=True,
    ),
)

FORMS: Mapping[str, Form] = {form.id: form for form in (*_EXPENSES, *_PAYMENTS, *_RECEIPTS, *_TRADE, *_MASTER)}
"""The known forms by id."""
