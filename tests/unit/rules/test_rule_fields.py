"""Which fields a rule looks at: what is not found here is not asked of Kingdee, and a rule would see it as missing."""

import pytest

from kdsync.rules.expressions import compile_expression, compile_text


@pytest.mark.parametrize(
    ("source", "heads"),
    [
        ("doc.A", "A"),
        ("old.A", "A"),
        ("doc['A']", "A"),
        ("doc['A.B']", "A.B"),
        ("doc.A.B.C", "A.B.C"),
        ("doc.A['B']", "A.B"),
        ("doc.A and old.A.B", "A A.B"),
        ("(doc or old).A", "A"),
        ("(doc if old else old).A", "A"),
        ("(old | default(doc)).A", "A"),
        ("(doc.A or doc.B).C", "A A.C B.C"),
        ("doc.A | default(doc.B)", "A B"),
        ("doc.A.year > 2000", "A"),
        ("doc.A.upper().startswith(doc.B)", "A B"),
        ("doc.A[:3] ~ doc.B[0]", "A B"),
        ("doc.A in (doc.B, [doc.C], {'k': doc.D})", "A B C D"),
        ("doc.A is divisibleby(doc.B)", "A B"),
        ("range(doc.A)", "A"),
        ("doc.A | join(doc.B)", "A B"),
        ("-doc.A ** doc.B", "A B"),
        ("now > event.noticed_at and rule.id", ""),
    ],
)
def test_fields_of_the_document(source: str, heads: str) -> None:
    found = compile_expression(source)
    assert found.heads == set(heads.split())
    assert not found.entries


@pytest.mark.parametrize(
    ("source", "entries"),
    [
        ("doc.entries | length", ""),
        ("doc.entries | sum(attribute='A')", "A"),
        ("doc.entries | sum('A.B')", "A.B"),
        ("old.entries | map(attribute='A') | list", "A"),
        ("doc['entries'] | selectattr('A', 'gt', 1) | rejectattr('B') | sum('C')", "A B C"),
        ("doc.entries | sort(attribute='A,B') | map(attribute='C') | first", "A B C"),
        ("doc.entries | sort(false, true, 'A') | list", "A"),
        ("doc.entries | unique(attribute='A') | list", "A"),
        ("(doc.entries | max(attribute='A')).B", "A B"),
        ("(doc.entries | min(false, 'A')).B", "A B"),
        ("doc.entries | join(',', 'A')", "A"),
        ("doc.entries[0].A + doc.entries[-1]['B']", "A B"),
        ("(doc.entries[:3] | last).A", "A"),
        ("(doc.entries | groupby('A') | first).list | sum('B')", "A B"),
        ("(doc.entries or old.entries) | sum('A')", "A"),
    ],
)
def test_fields_of_the_rows(source: str, entries: str) -> None:
    found = compile_expression(source)
    assert found.entries == set(entries.split())
    assert not found.heads


@pytest.mark.parametrize(
    ("source", "heads", "entries"),
    [
        ("{{ doc.A | money }} {{ link(doc.B, 'https://x') }}", "A B", ""),
        ("{% set s = doc.S %}{{ s.A }}{{ s.B }}", "S S.A S.B", ""),
        ("{% set d = old %}{{ d.A }}", "A", ""),
        ("{% for r in doc.entries %}{{ r.A.B }}{{ loop.index }}{% endfor %}", "", "A.B"),
        ("{% for r in doc.entries if r.A > doc.B %}{{ r.C }}{% else %}{{ doc.D }}{% endfor %}", "B D", "A C"),
        ("{% for r in doc.entries | sort(attribute='A') %}{{ r.B }}{% endfor %}", "", "A B"),
        ("{% for k, rows in doc.entries | groupby('A') %}{{ k }}{{ rows | sum('B') }}{% endfor %}", "", "A B"),
        ("{% for g in doc.entries | groupby('A') %}{% for r in g.list %}{{ r.B }}{% endfor %}{% endfor %}", "", "A B"),
        ("{% set rows = doc.entries | list %}{% for r in rows %}{{ r['A'] }}{% endfor %}", "", "A"),
        ("{% for a in doc.entries %}{% for b in old.entries %}{{ a.A }}{{ b.B }}{% endfor %}{% endfor %}", "", "A B"),
        ("{% if doc.A %}{{ doc.B }}{% elif doc.C %}x{% else %}{{ doc.D }}{% endif %}", "A B C D", ""),
        ("{# doc.A #}{% raw %}{{ doc.B }}{% endraw %}doc.C", "", ""),
    ],
)
def test_fields_of_a_message(source: str, heads: str, entries: str) -> None:
    found = compile_text(source)
    assert found.heads == set(heads.split())
    assert found.entries == set(entries.split())
