"""lit configuration of the FileCheck tests; the build tree's lit.site.cfg.py
loads it. Unit tests have their own, unittests/lit.site.cfg.py."""

import os
import shutil
import subprocess

import lit.formats
from lit.llvm import llvm_config
from lit.llvm.subst import ToolSubst

config.name = "diffattn"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test", ".py"]
config.excludes = ["Inputs", "CMakeLists.txt", "lit.cfg.py"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.diffattn_obj_root, "test")

# A variable of one function must not leak into the checks of the next.
config.environment["FILECHECK_OPTS"] = "-enable-var-scope"
llvm_config.with_system_environment(["HOME", "TMPDIR", "TEMP"])

# FileCheck, not, count, split-file. lit's own %python is the one that runs lit,
# which need not have what config.python_executable has.
if config.python_executable:
    config.substitutions.append(("%python", f'"{config.python_executable}"'))
llvm_config.use_default_substitutions()

tools_dir = os.path.join(config.diffattn_obj_root, "bin")
# The sweep of utils/check.sh: whatever diffattn-opt reads in a test it also
# prints and reads back, as text and as bytecode.
roundtrip = ["--verify-roundtrip"] if os.environ.get("DIFFATTN_OPT_CHECK_ROUNDTRIP") else []
llvm_config.add_tool_substitutions(
    [
        ToolSubst("diffattn-opt", extra_args=roundtrip),
        ToolSubst("diffattn-compile", unresolved="ignore"),
        ToolSubst("diffattn-eval", unresolved="ignore"),
        "mlir-opt",
        "mlir-translate",
        "split-file",
        "llvm-nm",
        "llvm-readelf",
    ],
    [tools_dir, config.llvm_tools_dir],
)
config.substitutions += [
    (f"%{name}_library", os.path.join(config.diffattn_obj_root, "lib", f"libdiffattn_{name}.so"))
    for name in ("runtime", "fake_cuda")
]
config.substitutions.append(("%benchmarks", os.path.join(config.diffattn_src_root, "benchmarks")))
config.substitutions.append(("%examples", os.path.join(config.diffattn_src_root, "examples")))

# Features, for REQUIRES lines.
clang = os.path.join(config.llvm_tools_dir, "clang")
if os.path.exists(clang):
    config.available_features.add("clang")
    config.substitutions.append(("%clang", clang))
if config.enable_assertions:
    config.available_features.add("asserts")
if config.python_executable:
    config.available_features.add("python")
    find_torch = "import importlib.util as u; raise SystemExit(u.find_spec('torch') is None)"
    if subprocess.run([config.python_executable, "-c", find_torch]).returncode == 0:
        config.available_features.add("torch")
if os.path.exists("/proc/cpuinfo") and " amx_bf16 " in open("/proc/cpuinfo").read():
    config.available_features.add("amx")
if shutil.which("ptxas"):
    config.available_features.add("ptxas")
