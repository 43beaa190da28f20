"""Every kernel is called with sizes that fit together, or not at all."""

import ast
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

from tests.support import kernel_calls

ROOT = Path(__file__).parents[2]
_TRUSTED = {"streamgauge/series/sized.py"}
"""The checks themselves, of which each looks at what the one before it has found to fit."""


def _is_kernel(node):
    return isinstance(node, ast.FunctionDef) and any("njit" in ast.dump(each) for each in node.decorator_list)


def _is_sized(node):
    return any(
        isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "sized"
        for each in node.decorator_list
    )


def _trees():
    for folder in ("schemas", "streamgauge", "operators", "sinks", "jobs"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            name = str(file.relative_to(ROOT))
            yield name, name.removesuffix(".py").replace("/", "."), ast.parse(file.read_text())


class _Uses(ast.NodeVisitor):
    """The kernels that a module names outside of kernels, `sized(...)(kernel)` apart."""

    def __init__(self, module, tree, kernels):
        self.found = set()
        self._kernels = kernels
        self._names = {name: key for key in kernels for owner, name in [key] if owner == module}
        self._modules = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                for each in node.names:
                    self._modules[each.asname or each.name] = f"{node.module}.{each.name}"
                    if (node.module, each.name) in kernels:
                        self._names[each.asname or each.name] = (node.module, each.name)
        self.visit(tree)

    def visit_FunctionDef(self, node):
        if not _is_kernel(node):
            self.generic_visit(node)

    def visit_Call(self, node):
        func = node.func
        if not (isinstance(func, ast.Call) and isinstance(func.func, ast.Name) and func.func.id == "sized"):
            self.generic_visit(node)

    def visit_Name(self, node):
        if node.id in self._names:
            self.found.add(self._names[node.id])

    def visit_Attribute(self, node):
        owner = self._modules.get(node.value.id) if isinstance(node.value, ast.Name) else None
        if (owner, node.attr) in self._kernels:
            self.found.add((owner, node.attr))
        self.generic_visit(node)


def test_every_kernel_that_python_calls_states_what_it_relies_on():
    trees = [each for each in _trees() if each[0] not in _TRUSTED]
    kernels = {
        (module, node.name): node for _, module, tree in trees for node in tree.body if _is_kernel(node)
    }
    assert len(kernels) > 150
    bare = {
        f"{'.'.join(key)} in {file}"
        for file, module, tree in trees
        for key in _Uses(module, tree, kernels).found
        if not _is_sized(kernels[key])
    }
    assert not bare


def test_no_kernel_reads_or_writes_outside_of_its_arrays_whatever_does_not_fit(tmp_path):
    """Each argument of each kernel made smaller, larger, of other axes, or to point elsewhere.

    Not compiled: NumPy checks every index of every kernel then, and to compile them all anew takes a minute.
    """
    calls = kernel_calls.recorded()
    assert calls.keys() == kernel_calls.kernels().keys()
    file = tmp_path / "calls"
    file.write_bytes(pickle.dumps(calls))
    run = subprocess.run(
        [sys.executable, "-W", "ignore", kernel_calls.__file__, file],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    refused = json.loads(run.stdout)
    assert refused.keys() == calls.keys()
    assert min(refused.values()) >= 3, refused
    assert sum(refused.values()) > 4000
