"""Comparisons: one file each, with `run(options, report) -> BenchResult`; see `training/bench.py`."""
