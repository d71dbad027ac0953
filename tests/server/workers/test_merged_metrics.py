"""Metrics of several workers, summed; what the dead have counted stays."""

from unittest.mock import Mock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from server.workers.merged_metrics import MergedMetrics


def page(count, session):
    registry = CollectorRegistry()
    counter = Counter("steps", "Steps", ("action",), registry=registry)
    counter.labels("wait").inc(count)
    Gauge("cost", "Cost", ("session",), registry=registry).labels(session).set(count)
    return generate_latest(registry).decode()


def merged(collector):
    registry = CollectorRegistry()
    registry.register(collector)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


def test_counters_are_summed_and_never_go_back():
    pages = {1: page(3, "a"), 2: page(4, "b")}
    collector = MergedMetrics(lambda: pages)
    both = {("steps_total", "wait"): 7.0, ("cost", "a"): 3.0, ("cost", "b"): 4.0}
    assert merged(collector) == both
    pages = {2: page(5, "b"), 3: page(1, "c")}
    successor = {("steps_total", "wait"): 9.0, ("cost", "b"): 5.0, ("cost", "c"): 1.0}
    assert merged(collector) == successor
    assert merged(collector) == successor


def page_of(*seconds):
    registry = CollectorRegistry()
    histogram = Histogram("wait", "Wait", buckets=(1.0, 10.0), registry=registry)
    for each in seconds:
        histogram.observe(each)
    return generate_latest(registry).decode()


def test_histograms_are_summed_bucket_by_bucket_and_stay_with_the_dead():
    pages = {1: page_of(0.5, 5.0), 2: page_of(5.0, 50.0)}
    collector = MergedMetrics(lambda: pages)
    both = {
        ("wait_bucket", "1.0"): 1.0,
        ("wait_bucket", "10.0"): 3.0,
        ("wait_bucket", "+Inf"): 4.0,
        ("wait_count",): 4.0,
        ("wait_sum",): 60.5,
    }
    assert merged(collector) == both
    del pages[1]
    assert merged(collector) == both


def test_moments_of_creation_are_not_summed():
    collector = MergedMetrics(lambda: {1: page_of(1.0)})
    assert not [key for key in merged(collector) if key[0].endswith("_created")]


def test_a_worker_that_does_not_answer_once_is_counted_once():
    pages = {1: page(3, "a"), 2: page(4, "b")}
    collector = MergedMetrics(lambda: pages)
    merged(collector)
    silent = pages.pop(1)
    assert merged(collector)["steps_total", "wait"] == 7.0
    pages[1] = silent
    assert merged(collector)["steps_total", "wait"] == 7.0


def test_workers_without_a_page_have_no_metrics():
    assert merged(MergedMetrics(dict)) == {}


def test_a_registry_that_takes_the_metrics_in_reads_no_worker():
    read = Mock(return_value={})
    CollectorRegistry(auto_describe=True).register(MergedMetrics(read))
    read.assert_not_called()


def test_series_of_all_dead_workers_stay_while_nobody_answers():
    pages = {1: page(3, "a")}
    collector = MergedMetrics(lambda: pages)
    merged(collector)
    pages.clear()
    assert merged(collector) == {("steps_total", "wait"): 3.0}
