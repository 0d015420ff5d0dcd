"""The switches that hold everybody to one thread and, where asked, to AVX2. Nothing numerical is imported here."""

import mmap
import os
from importlib.util import find_spec
from pathlib import Path

ONE_THREAD = {
    "BPNET_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NPROC": "1",  # XLA's pool
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_PLATFORMS": "cpu",
}
AVX2 = {
    "BPNET_ISA": "v3",
    "OPENBLAS_CORETYPE": "Haswell",
    # NumPy's names for AVX-512 differ from release to release; it skips those that it does not know
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",  # torch.compile takes its vectors from it too
    "TORCHINDUCTOR_CPP_MARCH": "x86-64-v3",
}
# XLA's limit binds what XLA compiles. Its products are YNNPACK's, which asks the processor, until they are taken away.
XLA_AVX2 = ("--xla_cpu_max_isa=AVX2", "--xla_cpu_experimental_ynn_fusion_type=")


def settle(avx2: bool, double: bool) -> None:
    """Sets them; before anything numerical is imported."""
    os.environ.update(ONE_THREAD)
    if avx2:
        os.environ.update(AVX2)
        os.environ["XLA_FLAGS"] = " ".join([ONE_THREAD["XLA_FLAGS"], *filter(xla_knows, XLA_AVX2)])
    if double:
        os.environ["JAX_ENABLE_X64"] = "1"


def xla_knows(flag: str) -> bool:
    """Whether the installed XLA has this flag; it ends the process that names one which it does not have."""
    name = flag.strip("-").partition("=")[0].encode()
    package = find_spec("jaxlib")
    for folder in (package.submodule_search_locations or []) if package else []:
        for library in Path(folder).rglob("*.so"):
            with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if content.find(name) >= 0:
                    return True
    return False
