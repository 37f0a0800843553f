"""The README's notebook example prints what the README says."""

from __future__ import annotations

import re
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_example_prints_what_its_comment_says(spark, capsys):
    example = re.search(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[1]
    exec(compile(example, "README.md", "exec"), {"__name__": "notebook"})
    printed = re.search(r"print\(.*\)  # (.*)", example)[1]
    assert capsys.readouterr().out.strip() == printed
