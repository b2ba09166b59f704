"""numpy's products run on one thread, and on AVX-512 where the processor has it; an operator's word stands."""

import pytest

from realtime.kernels import WIDE, settle_kernels

FLAGS = " ".join(sorted(WIDE))


@pytest.mark.parametrize(
    ("vendor", "flags", "kernels"),
    [
        ("AuthenticAMD", f"fpu {FLAGS} sse", "SkylakeX"),
        ("AuthenticAMD", "fpu avx2 sse", None),
        ("GenuineIntel", FLAGS, None),
    ],
)
def test_wide_kernels_are_asked_for_where_openblas_would_not_find_them(tmp_path, vendor, flags, kernels):
    processors = tmp_path / "cpuinfo"
    processors.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: {flags}\n\nprocessor\t: 1\n")
    environ = {}
    settle_kernels(environ, processors)
    assert environ == {"OPENBLAS_NUM_THREADS": "1", **({"OPENBLAS_CORETYPE": kernels} if kernels else {})}


def test_what_the_operator_says_stands_and_other_systems_are_left_alone(tmp_path):
    environ = {"OPENBLAS_NUM_THREADS": "4"}
    settle_kernels(environ, tmp_path / "none")
    assert environ == {"OPENBLAS_NUM_THREADS": "4"}
