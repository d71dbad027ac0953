"""The metrics of all workers as those of one server: the same series, summed."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

Key = tuple[str, tuple[tuple[str, str], ...]]
"""Name and labels of a sample."""
KEPT_KINDS = frozenset({"counter", "histogram"})
Read = Callable[[], Mapping[int, str]]
"""The page of each worker that answers, by a number that no later worker has (its pid)."""


class MergedMetrics(Collector):
    """Sums over workers. The counts of one that gives no answer, dead or busy, stay in the sums, so
    that no counter ever goes back; its gauges are left out.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._last: dict[int, list[Metric]] = {}

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry that asks must not read the workers."""
        return ()

    def collect(self) -> Iterator[Metric]:
        pages = self._read()
        for pid, families in self._last.items():
            if pid not in pages:
                self._last[pid] = [family for family in families if family.type in KEPT_KINDS]
        for pid, page in pages.items():
            self._last[pid] = list(text_string_to_metric_families(page))
        merged: dict[str, Metric] = {}
        sums: dict[str, dict[Key, float]] = {}
        for family in (family for families in self._last.values() for family in families):
            metric = Metric(family.name, family.documentation, family.type)
            merged.setdefault(family.name, metric)
            values = sums.setdefault(family.name, {})
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    key = sample.name, tuple(sorted(sample.labels.items()))
                    values[key] = values.get(key, 0.0) + sample.value
        for name, metric in merged.items():
            for (sample_name, labels), value in sums[name].items():
                metric.add_sample(sample_name, dict(labels), value)
            yield metric
