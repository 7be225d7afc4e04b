"""Each detector: it fires on a minimal bad kernel, and is silent on its corrected twin.

usage: run_negative.py DS_PTX_RUN [--only GLOB] [--list]

The cases are in negative/*.ptx, each the body of a kernel behind a line

    //--- NAME [sm_NN] OPTIONS

(OPTIONS of ds-ptx-run; "--block 32" if there are none) and lines "//! REGEX" that the report of the bad kernel matches, one after the other. As in a diff,
lines that begin with "-" are of the bad kernel alone and those that begin with "+" of the good one alone. A body finds: the parameters p0 (1024 words, zeros
unless OPTIONS have --arg) and p1 (1024 words that nobody wrote), %r0 = %tid.x, %r1 = %laneid, %r2 = the address of `tile` (4096 bytes of shared memory,
aligned to 1024), %r3 = %r2 + 4 * tid, %rd0 and %rd1 = p0 and p1, %rd2 and %rd3 = those + 4 * tid, a parameter `map` if OPTIONS have a 'tma(...)', and registers %r4 ... of each type to use. Each case runs
with several seeds and each mode of asynchrony; a report is the same when it is made again. With ptxas in PATH all kernels are assembled, too.
Ends with "N passed, N failed".
"""
import argparse
import fnmatch
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from cases import report

PRELUDE = """.visible .entry {name}(.param .u64 p0, .param .u64 p1{map})
{{
  .reg .pred %p<16>;
  .reg .b16 %h<16>;
  .reg .b32 %r<32>;
  .reg .f32 %f<16>;
  .reg .b64 %rd<32>;
  .shared .align 1024 .b8 tile[4096];
  mov.u32 %r0, %tid.x;
  mov.u32 %r1, %laneid;
  mov.u32 %r2, tile;
  mad.lo.u32 %r3, %r0, 4, %r2;
  ld.param.u64 %rd0, [p0];
  ld.param.u64 %rd1, [p1];
  mad.wide.u32 %rd2, %r0, 4, %rd0;
  mad.wide.u32 %rd3, %r0, 4, %rd1;
"""
DECLARATIONS = """.const .align 4 .b32 constants[4] = {1, 2, 3, 4};
.global .align 4 .b32 table[4] = {5, 6, 7, 8};
.global .align 1 .b8 message[4] = {37, 100, 10, 0};
.extern .shared .align 16 .b8 dynamic[];
.extern .func (.param .b32 result) vprintf(.param .b64 format, .param .b64 values);
.func (.param .b32 result) same(.param .b32 value)
{
  .reg .b32 %r;
  ld.param.b32 %r, [value];
  st.param.b32 [result], %r;
  ret;
}
.func (.param .b32 result) nothing(.param .b32 value)
{
  ret;
}
"""
SEEDS, MODES = (0, 1, 2, 5), ("early", "late", "random")


class Case:
    def __init__(self, family, header):
        words = header.split()
        self.name = f"{family}.{words.pop(0)}"
        self.target = words.pop(0) if words and words[0].startswith("sm_") else "sm_80"
        self.options = shlex.split(" ".join(words))
        self.tensor = [word for word in self.options if word.startswith("tma(")]
        self.options = [word for word in self.options if word not in self.tensor]
        self.expected, self.good, self.bad = [], [], []

    def entry(self, which):
        return re.sub(r"\W", "_", f"{which}_{self.name}")

    def kernel(self, which):
        body = self.good if which == "good" else self.bad
        parameter = ", .param .align 64 .b8 map[128]" if self.tensor else ""
        return PRELUDE.replace("{name}", self.entry(which)).replace("{map}", parameter).replace("{{", "{") + "\n".join(body) + "\n  ret;\n}\n"


def read(path):
    family, cases = os.path.splitext(os.path.basename(path))[0], []
    with open(path) as file:
        for line in file.read().splitlines():
            if line.startswith("//---"):
                cases.append(Case(family, line[5:].strip()))
            elif line.startswith("//!"):
                cases[-1].expected.append(line[3:].strip())
            elif cases and not line.startswith("//"):
                text = " " + line[1:] if line[:1] in "+-" else line
                if not line.startswith("+"):
                    cases[-1].bad.append(text)
                if not line.startswith("-"):
                    cases[-1].good.append(text)
    for case in cases:
        assert case.expected and case.good != case.bad, case.name
    return cases


def module(cases, target):
    return f".version 8.3\n.target {target}\n.address_size 64\n{DECLARATIONS}" + "".join(c.kernel(w) for c in cases for w in ("good", "bad"))


def run(binary, path, case, which, seed, mode):
    options = list(case.options)
    if "--block" not in options:
        options += ["--block", "32"]
    if "--arg" not in options:
        options += ["--arg", "b32[1024]=0", "--arg", "b32[1024]"]
    options += [text for word in case.tensor for text in ("--arg", word)]
    done = subprocess.run([binary, path, "--entry", case.entry(which), *options, "--seed", str(seed), "--async", mode], capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stderr


def check(binary, path, case):
    reported = 0
    for seed in SEEDS:
        for mode in MODES:
            code, text = run(binary, path, case, "good", seed, mode)
            assert (code, text) == (0, ""), f"the good kernel, seed {seed}, {mode}:\n{text}"
            code, text = run(binary, path, case, "bad", seed, mode)
            if code == 0:
                continue
            reported += 1
            at = 0
            for expected in case.expected:
                found = re.compile(expected).search(text, at)
                assert found, f"the report, seed {seed}, {mode}, has no '{expected}':\n{text}"
                at = found.end()
            assert text.startswith("DS-EMU error: ") and "\nreplay: DS_EMU_SEED=" in text, text
    assert reported, "the bad kernel passed"
    # Most need no luck; those that do say "seeds" in their name.
    assert reported == len(SEEDS) * len(MODES) or "seeds" in case.name, f"the bad kernel was reported {reported} times of {len(SEEDS) * len(MODES)}"
    assert run(binary, path, case, "bad", 5, "random") == run(binary, path, case, "bad", 5, "random"), "two reports of one run differ"


def assemble(path, target):
    done = subprocess.run(["ptxas", f"-arch={target}", "-o", os.devnull, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ds_ptx_run", help="the runner")
    parser.add_argument("--only", default="*", help="cases to run, as FAMILY.NAME")
    parser.add_argument("--list", action="store_true", help="print the names of the cases instead")
    options = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    cases = [case for path in sorted(glob.glob(os.path.join(here, "negative", "*.ptx"))) for case in read(path)]
    cases = [case for case in cases if fnmatch.fnmatch(case.name, options.only)]
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    with tempfile.TemporaryDirectory() as work, ThreadPoolExecutor(os.cpu_count()) as pool:
        checks = {}
        for target in sorted({case.target for case in cases}):
            path = os.path.join(work, target + ".ptx")
            with open(path, "w") as file:
                file.write(module([case for case in cases if case.target == target], target))
            if shutil.which("ptxas"):
                checks[f"ptxas of {target}"] = pool.submit(assemble, path, target).result
            checks |= {case.name: pool.submit(check, options.ds_ptx_run, path, case).result for case in cases if case.target == target}
        return report(checks)


if __name__ == "__main__":
    sys.exit(main())
