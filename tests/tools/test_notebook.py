"""The tutorial's notebook has the page's text and code, each once and in its order."""

import json
import re

from tools.notebook import NOTEBOOK, PAGE, notebook

EXAMPLE = """# Title

Text.

<!-- cell -->
```python
x = 1

print(x)
```

<!-- cell -->
```python
x += 1
```

More text.

<!-- file: own.py -->
```python
print("saved, not run")
```
"""


def cells_of(markdown: str) -> list[tuple[str, str]]:
    """Kind and text of each cell."""
    return [(c["cell_type"], "".join(c["source"])) for c in notebook(markdown)["cells"]]


def test_cells_of_a_page_are_code_and_all_else_is_text():
    assert cells_of(EXAMPLE) == [
        ("markdown", "# Title\n\nText."),
        ("code", "x = 1\n\nprint(x)"),
        ("code", "x += 1"),
        ("markdown", 'More text.\n\n```python\nprint("saved, not run")\n```'),
    ]


def test_cells_have_names_of_their_own_and_no_outputs():
    cells = notebook(EXAMPLE)["cells"]
    names = [cell["id"] for cell in cells]
    assert len({*names}) == len(names)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in names)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [(cell["outputs"], cell["execution_count"]) for cell in code] == [([], None)] * 2


def test_the_committed_notebook_is_the_page():
    page = PAGE.read_text(encoding="utf-8")
    written = json.loads(NOTEBOOK.read_text(encoding="ascii"))
    assert written == notebook(page), "run `make generate`"
    kinds = [cell["cell_type"] for cell in written["cells"]]
    assert kinds.count("code") == page.count("<!-- cell -->") > 10


def test_the_format_is_one_that_has_names_of_cells():
    made = notebook("")
    assert (made["nbformat"], made["nbformat_minor"]) == (4, 5) and made["cells"] == []
