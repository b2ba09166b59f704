"""How numpy multiplies matrices here. To be settled before numpy is first imported: its OpenBLAS looks only once.

One thread: the products of a voice round are small, and more threads steal the other cores. The widest kernels: a
processor younger than OpenBLAS's list gets kernels of half the width, and AMD's with AVX-512 is such a one.
"""

from collections.abc import MutableMapping
from pathlib import Path

WIDE = {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"}
PROCESSORS = Path("/proc/cpuinfo")


def settle_kernels(environ: MutableMapping[str, str], processors: Path = PROCESSORS) -> None:
    """Say so in the environment, where the operator has not."""
    environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        first, _, _ = processors.read_text().partition("\n\n")
    except OSError:
        return  # not Linux: OpenBLAS decides
    facts = {name.strip(): value.split() for name, _, value in (line.partition(":") for line in first.splitlines())}
    if facts.get("vendor_id") == ["AuthenticAMD"] and set(facts.get("flags", ())) >= WIDE:
        environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")
