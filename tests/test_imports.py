"""What PyFlink's workers load before they can load numba."""

import subprocess
import sys


def test_what_a_worker_unpickles_does_not_import_numba():
    """PyFlink replaces `print` in its workers, and until `restore_print` has run numba cannot be imported."""
    modules = "streamgauge.config, operators.close_minutes, operators.replay_minutes, operators.roll_up"
    modules += ", operators.store_head, operators.index_series"
    program = f"import sys, {modules}; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
