"""What PyFlink's workers load before they can load numba, and that benchmarks find what they name."""

import subprocess
import sys
from pathlib import Path


def test_what_a_worker_unpickles_does_not_import_numba():
    """PyFlink replaces `print` in its workers, and until `restore_print` has run numba cannot be imported."""
    modules = "streamgauge.config, operators.close_minutes, operators.replay_minutes, operators.roll_up"
    modules += ", operators.store_head, operators.index_series, operators.rules.evaluate_rules"
    modules += ", operators.rules.merge_rules, operators.rules.pick_samples, operators.rules.sql_alerts"
    program = f"import sys, {modules}; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_benchmark_finds_what_it_imports():
    folder = Path(__file__).parents[2] / "benchmarks"
    names = sorted(file.stem for file in folder.glob("*.py"))
    assert len(names) > 20
    script = f"import importlib; [importlib.import_module(name) for name in {names}]"
    run = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
