"""The README's table of frameworks is what the adapters declare."""

from __future__ import annotations

from pathlib import Path

import pytest

from seasoned.plugin import support

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readme_has_the_table_that_the_adapters_declare() -> None:
    text = README.read_text(encoding="utf-8")
    assert support.placed(text, support.built_in()) == text, "run: python -m seasoned.plugin.support --write README.md"


def test_every_adapter_says_what_it_was_tested_with_and_what_it_lacks() -> None:
    adapters = support.built_in()
    assert adapters
    for adapter in adapters:
        assert adapter.tested
        assert adapter.support.records
        assert all(what and why for what, why in adapter.support.lacks)
        assert adapter.support.title in support.table(adapters)


def test_it_is_written_between_the_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{support.START}\nold\n{support.END}\nafter\n")
    assert support.main(["--write", str(page)]) == 0
    text = page.read_text()
    assert text.startswith(f"before\n{support.START}\n| framework |")
    assert text.endswith(f"{support.END}\nafter\n")
    assert "old" not in text
    assert support.main([]) == 0
    assert capsys.readouterr().out.startswith("| framework |")
    assert support.main(["x"]) == 2
    with pytest.raises(ValueError, match="marks"):
        support.placed("nothing", support.built_in())
