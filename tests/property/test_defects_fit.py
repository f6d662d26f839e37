"""The list of defects fits the code: one that no longer can be put into it would be tried by nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

import kdsync
from tests.property.mutants import MUTANTS, Mutant

SOURCE = Path(kdsync.__file__).parent


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_defect_can_be_put_into_the_code(mutant: Mutant) -> None:
    assert (SOURCE / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1
    assert mutant.new != mutant.old
