"""The style of the generated YAML files: PyYAML's block style, keys in the order they came in."""

from typing import Any

import yaml

LINE_WIDTH = 100


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML has no types
    """Writes enumeration members as the text that they are, and repeated values in full."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indents sequences inside mappings, as Compose and Prometheus files usually are."""
        super().increase_indent(flow, False)


_Dumper.add_multi_representer(str, lambda dumper, text: dumper.represent_str(str(text)))


def dump(document: Any) -> str:
    """The ASCII text of a mapping or sequence. Raises yaml.YAMLError for others."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=LINE_WIDTH)
    return text
