from __future__ import annotations

import subprocess
import sys

import pytest

from harness.shards import engine_fingerprint as module
from harness.shards.engine_fingerprint import engine_fingerprint, fingerprint_of, processor_facts

X86 = """\
processor	: 0
vendor_id	: AuthenticAMD
cpu family	: 26
model		: 2
model name	: AMD EPYC
stepping	: 1
microcode	: 0xb002110
cpu MHz		: 2596.096
cache size	: 1024 KB
flags		: fpu sse2 avx2 avx512f
bugs		: spectre_v1
bogomips	: 5192.19

"""
ARM = """\
processor	: 0
BogoMIPS	: 48.00
Features	: fp asimd asimddp
CPU implementer	: 0x61
CPU part	: 0x022

"""
MACOS = """\
machdep.cpu.brand_string: Apple M2
hw.optional.arm.FEAT_BF16: 1
hw.perflevel0.l1dcachesize: 131072
"""
FACTS = {
    "machine": ("Linux", "x86_64"),
    "processor": processor_facts(X86),
    "packages": {"numpy": "2.0"},
    "environment": {"HOME": "/home/a"},
}


def test_what_counts_of_a_processor() -> None:
    assert processor_facts(X86) == {
        "vendor_id: AuthenticAMD",
        "cpu family: 26",
        "model: 2",
        "model name: AMD EPYC",
        "stepping: 1",
        "cache size: 1024 KB",
        "flags: avx2 avx512f fpu sse2",
    }
    assert processor_facts(ARM) == {
        "Features: asimd asimddp fp",
        "CPU implementer: 0x61",
        "CPU part: 0x022",
    }
    assert "hw.optional.arm.FEAT_BF16: 1" in processor_facts(MACOS, None)
    assert processor_facts("") == processor_facts("no colon\n\x00\n") == frozenset()


def test_neither_cores_nor_the_moment_count() -> None:
    other = X86.replace("2596.096", "3100.000").replace("processor	: 0", "processor	: 1")
    reordered = X86.replace("fpu sse2", "sse2 fpu")
    for same in (X86 + other, other, reordered):
        assert fingerprint_of(**{**FACTS, "processor": processor_facts(same)}) == fingerprint_of(**FACTS)
    assert fingerprint_of(**{**FACTS, "environment": {"HOME": "/home/b"}}) == fingerprint_of(**FACTS)


@pytest.mark.parametrize(
    "change",
    [
        {"machine": ("Darwin", "x86_64")},
        {"machine": ("Linux", "aarch64")},
        {"processor": processor_facts(X86.replace(" avx512f", ""))},
        {"processor": processor_facts(X86.replace("1024 KB", "512 KB"))},
        {"packages": {"numpy": "2.1"}},
        {"packages": {"numpy": "2.0", "keras": "3"}},
        {"environment": {"TF_ENABLE_ONEDNN_OPTS": "0"}},
        {"environment": {"ONEDNN_MAX_CPU_ISA": "AVX2"}},
    ],
)
def test_what_decides_the_bits_counts(change: dict[str, object]) -> None:
    assert fingerprint_of(**{**FACTS, **change}) != fingerprint_of(**FACTS)


def test_the_code_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint_of(**FACTS)
    monkeypatch.setattr(module, "CODE_VERSION", module.CODE_VERSION + 1)
    assert fingerprint_of(**FACTS) != before


def test_of_this_machine() -> None:
    program = (
        "import sys; from harness.shards.engine_fingerprint import engine_fingerprint;"
        "print(engine_fingerprint(), *{'tensorflow', 'keras', 'ai_edge_litert'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [engine_fingerprint()]
    assert len(engine_fingerprint()) == 16 and int(engine_fingerprint(), 16) >= 0
