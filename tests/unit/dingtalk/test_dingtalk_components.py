"""Fields of approvals as DingTalk has been seen to write them down, and whatever else bytes can be."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.dingtalk.components import Attachment, Component, components_of
from kdsync.errors import EdgeError, FailureKind


def written(value: Any) -> str:
    return orjson.dumps(value).decode()


def one(kind: str, value: Any, more: Any = None, **others: Any) -> Component:
    item = {"componentType": kind, "name": "x", "id": f"{kind}_1ABC", "value": value, "extValue": more, **others}
    (component,) = components_of([item])
    return component


FILE = {"spaceId": "115", "fileName": "发票.pdf", "fileSize": 4028863, "fileType": "pdf", "fileId": "620"}
INVOICE = Attachment("620", "发票.pdf", 4028863, "115", "pdf")


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("TextField", " 差旅 ", "差旅"),
        ("TextField", "null", ""),
        ("TextField", None, ""),
        ("TextField", '["typed like this"]', '["typed like this"]'),
        ("NumberField", 3, "3"),
        ("MoneyField", "1,000.10", "1,000.10"),
        ("DDDateField", "2026-11-23", "2026-11-23"),
        ("DDSelectField", "其他", "其他"),
        ("DDSelectField", "[1]", "[1]"),
        ("DDMultiSelectField", '["A","B"]', "A, B"),
        ("TextField", True, "true"),
        ("Whatever", {"a": 1}, '{"a":1}'),
    ],
)
def test_a_value_as_people_read_it(kind: str, value: Any, text: str) -> None:
    assert one(kind, value).text == text


def test_an_amount_keeps_every_digit() -> None:
    (component,) = components_of([{"name": "x", "componentType": "MoneyField", "value": "12345678901234567.89"}])
    assert component.text == "12345678901234567.89"


@pytest.mark.parametrize("value", ['["2026-11-01","2026-11-03"]', ["2026-11-01", "2026-11-03"]])
def test_a_list_is_read_as_text_and_one_by_one(value: Any) -> None:
    component = one("DDDateRangeField", value)
    assert (component.text, component.items) == ("2026-11-01, 2026-11-03", ("2026-11-01", "2026-11-03"))


@pytest.mark.parametrize(
    ("value", "text", "ends"),
    [
        ('["2022-02-25","2022-02-26",null]', "2022-02-25, 2022-02-26", ("2022-02-25", "2022-02-26")),
        (["2022-02-25", "2022-02-26", 2], "2022-02-25, 2022-02-26, 2", ("2022-02-25", "2022-02-26")),
        ('["","2022-02-26",""]', "2022-02-26", ("", "2022-02-26")),
        ('["2022-02-25 上午","2022-02-25 下午",1,"halfDay"]', None, ("2022-02-25 上午", "2022-02-25 下午")),
        ("null", "", ("", "")),
    ],
)
def test_a_range_of_dates_has_two_ends_each_a_field_by_its_label(value: Any, text: str | None, ends: Any) -> None:
    item = {"componentType": "DDDateRangeField", "name": '["开始时间","结束时间"]', "value": value}
    whole, *found = components_of([item])
    assert whole.text == text or text is None
    assert [(end.name, end.kind, end.text) for end in found] == [
        (label, "DDDateField", end) for label, end in zip(("开始时间", "结束时间"), ends, strict=True)
    ]
    (row,) = one("TableField", written([{"rowValue": [{**item, "label": item["name"]}]}])).cells
    assert (row["开始时间"].text, row["结束时间"].text) == ends


def test_people_and_departments_are_ids() -> None:
    who = [{"emplId": "u1", "name": "张三", "avatar": ""}, {"itemId": "u2", "name": "李四"}]
    component = one("InnerContactField", "张三,李四", written(who))
    assert (component.text, component.people, component.departments) == ("张三,李四", ("u1", "u2"), ())
    where = [{"number": 141, "itemId": "139605137", "name": "财务部", "id": 139605137}]
    component = one("DepartmentField", "财务部", written(where))
    assert (component.text, component.people, component.departments) == ("财务部", (), ("139605137",))


@pytest.mark.parametrize("more", [None, "", "null", "[]", "{}", "not JSON", "[1]", "[[]]", '[{"name":"x"}]', 7])
def test_people_that_nobody_identifies_are_no_ids(more: Any) -> None:
    assert one("InnerContactField", "张三", more).people == ()


@pytest.mark.parametrize("value", [written([FILE]), [FILE], written([{**FILE, "fileSize": "4028863"}])])
def test_files(value: Any) -> None:
    component = one("DDAttachment", value)
    assert (component.files, component.text) == ((INVOICE,), "发票.pdf")


def test_a_file_of_which_little_is_told() -> None:
    assert one("DDAttachment", written([{"fileId": 7, "fileSize": "big"}])).files == (Attachment("7", "7"),)
    empty = {**FILE, "fileSize": 0}
    assert one("DDAttachment", written([empty])).files == (Attachment("", "发票.pdf", 0, "115", "pdf"),)


def test_pictures_are_files_by_their_address() -> None:
    address = "https://static.dingtalk.com/media/lADPD.jpg?bizType=x"
    assert one("DDPhotoField", written([address])).files == (Attachment(address, "lADPD.jpg", kind="jpg"),)
    assert one("DDPhotoField", "null").files == ()
    assert one("DDPhotoField", written(["https://[::/"])).files == (Attachment("https://[::/", "picture"),)
    named = "https://a.aliyuncs.com/%E5%8F%91%E7%A5%A8.png"
    assert one("DDPhotoField", named).files == (Attachment(named, "发票.png", kind="png"),)


CELLS: list[dict[str, Any]] = [
    {"componentType": "TextField", "label": "项目", "value": "机票", "key": "TextField_1"},
    {"componentType": "MoneyField", "label": "金额", "value": 1200.5, "key": "MoneyField_2"},
    {"componentType": "DDAttachment", "label": "附件", "value": written([FILE]), "key": "DDAttachment_3"},
    {"componentType": "InnerContactField", "label": "同行", "value": "张三", "extendValue": [{"emplId": "u1"}]},
]
OLD_CELLS = [{"name": cell["label"], "value": cell["value"], "id": cell.get("key", "")} for cell in CELLS]


@pytest.mark.parametrize(
    "value",
    [
        written([{"rowValue": CELLS, "rowNumber": "T_1"}, {"rowValue": CELLS[:1]}]),
        [{"rowValue": CELLS}, {"rowValue": CELLS[:1]}],
        written([OLD_CELLS, OLD_CELLS[:1]]),
    ],
)
def test_a_table_in_both_of_its_shapes(value: Any) -> None:
    table = one("TableField", value, '{"statValue":[],"componentName":"TableField"}')
    assert table.rows[0]["项目"] == "机票"
    assert table.rows[0]["金额"] == "1200.5"
    assert table.rows[1] == {"项目": "机票"}
    assert table.files == (INVOICE,)
    assert table.text == ""


def test_a_cell_is_all_that_a_field_is() -> None:
    table = one("TableField", written([{"rowValue": CELLS}]))
    assert table.cells[0]["同行"].people == ("u1",)
    assert table.cells[0]["附件"].files == (INVOICE,)


def test_of_two_columns_with_one_label_the_first_counts() -> None:
    table = one("TableField", written([[{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]]))
    assert table.rows == ({"a": "1"},)


@pytest.mark.parametrize("value", ["", "null", None, "[]"])
def test_an_empty_table_has_no_rows(value: Any) -> None:
    assert one("TableField", value).rows == ()


def test_a_component_that_does_not_name_its_kind_tells_it_by_its_id() -> None:
    (component,) = components_of([{"name": "明细", "id": "TableField-MINGXI", "value": "[]"}])
    assert component.kind == "TableField"


def test_what_the_app_calls_a_component_is_kept() -> None:
    component = one("TextField", "x", bizAlias="reason")
    assert (component.ident, component.alias) == ("TextField_1ABC", "reason")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("TableField", "a table?"),
        ("TableField", '{"rowValue":[]}'),
        ("TableField", "[1]"),
        ("TableField", '[{"rowValue":{}}]'),
        ("TableField", "[[7]]"),
        ("DDAttachment", "a file?"),
        ("DDAttachment", '[{"fileName":"x"}]'),
        ("DDAttachment", "[7]"),
        ("DDPhotoField", '[{"url":"https://static.dingtalk.com/media/x.jpg"}]'),
        ("DDPhotoField", '{"url":"x"}'),
        ("TextField", 3),
    ],
)
def test_a_form_that_cannot_be_read_is_refused_and_does_not_pass(kind: str, value: Any) -> None:
    listed: Any = [{"componentType": kind, "name": "x", "value": value}] if kind != "TextField" else value
    with pytest.raises(EdgeError) as caught:
        components_of(listed)
    assert (caught.value.kind, caught.value.code) == (FailureKind.REFUSED, "approval form")


PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    PLAIN | st.sampled_from(["null", "[]", "[1,", '[{"fileId":1}]', '[[{"name":"a","value":"[]"}]]']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["rowValue", "fileId", "name", "label", "value", "emplId", "id", "key"]), inner, max_size=4
        )
        | inner.map(lambda value: orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode())
    ),
    max_leaves=12,
)
KINDS = st.sampled_from(
    ["TableField", "DDAttachment", "DDPhotoField", "InnerContactField", "DepartmentField", "TextField", "", "DDX"]
)
COMPONENTS = st.fixed_dictionaries(
    {"componentType": KINDS | VALUES, "value": VALUES},
    optional={"name": VALUES, "id": VALUES, "extValue": VALUES, "bizAlias": VALUES},
)


@given(st.lists(COMPONENTS | VALUES, max_size=4) | VALUES)
def test_whatever_a_form_holds_it_is_read_or_refused(listed: Any) -> None:
    with suppress(EdgeError):
        for component in components_of(listed):
            assert isinstance(component.text, str)
            assert all(isinstance(text, str) for row in component.rows for text in row.values())


@pytest.mark.parametrize("shape", ['{"rowValue":%s}', "[%s]"])
def test_no_depth_of_nesting_is_an_end(shape: str) -> None:
    value = "[]"
    for _ in range(500):
        value = f"[{shape % value}]"
    with pytest.raises(EdgeError):
        one("TableField", value)
