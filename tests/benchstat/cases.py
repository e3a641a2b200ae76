# SPDX-License-Identifier: Apache-2.0
"""Makes inputs and command lines for benchstat: the same ones for the same seed.

A case is {name, files: {file name: text}, arguments, input}. The first ones are written by hand,
one for each rule that a random file would hardly meet; the others are drawn.
"""
import random

UNITS = ["ns/op", "B/op", "allocs/op", "MB/s", "p99-ns/op", "ns/GC", "bytes/op", "widgets",
         "B/s*ns", "MB-ns/op", "sec/op", "x"]
NAMES = ["Encode", "Decode/size=10", "Decode/size=4k", "Decode/size=1MiB/par=2-8", "Sort-8",
         "Sort-16", "Map/hit", "Map/miss-4", "Pipe/gomaxprocs=3", "Größe/n=1", "A", "Long" * 12]
CONFIGS = ["goos", "goarch", "pkg", "cpu", "note", "commit", "branch"]
EXPRESSIONS = [".config", ".fullname", ".name", ".file", "/size", "/gomaxprocs", "goos", "pkg",
               "note", ".name,/size", "/size@num", ".name@alpha", "/size@(4k 10)", ".file@alpha",
               "goos@(linux darwin)", ".fullname@alpha", ".config@alpha", "note,.file",
               ".file,note", "", "pkg .file", "/par,/size@num", "note@num"]
FILTERS = ["*", ".name:Decode", "-.name:Sort", "/size:10 OR /size:4k", ".unit:ns/op",
           ".unit:sec/op", "-.unit:/B/", ".unit:(ns/op OR B/op)", "goos:linux AND .name:/^S/", ".file:/a/",
           "(.name:Map OR .name:A) .unit:/o.$/", '"note":"a b"', "/gomaxprocs:8",
           ".fullname:/(Sort|Map)/", "-(.name:A .unit:x)", "note:/./", "-*", "* AND -.name:A"]
WRONG = [["-filter", "("], ["-filter", ".name:"], ["-filter", "x"], ["-filter", ""],
         ["-filter", ".config:x"], ["-filter", '"a":/[/'], ["-filter", "a:/x/y"],
         ["-filter", "a:(b c)"], ["-filter", "a:(b OR"], ["-filter", "a:b)"],
         ["-filter", "\u00e9t\u00e9:\u00e0 ,"], ["-filter", '"abc'], ["-filter", '"a\\q":b'],
         ["-filter", '"":x'], ["-filter", "a:/x**/"], ["-filter", "a:/\\/ "],
         ["-filter", "a:/[b-a]/"], ["-filter", "a:/(?z)/"], ["-filter", "a:/x{2000}/"],
         ["-filter", "a:/*x/"], ["-filter", "a:/\\q/"], ["-filter", "a:/[[:nope:]]/"],
         ["-row", ".unit"], ["-row", "a@b"], ["-row", "a@()"], ["-row", "a@(b"], ["-row", "a@@"],
         ["-col", ".config@(x)"], ["-table", "a,,b"], ["-table", ","], ["-ignore", ":"],
         ["-row", '""'], ["-row", 'x@"\\u00e9\\x00"'], ["-row", "a@fixed"], ["-alpha", "2"],
         ["-alpha", "-1"], ["-confidence", "1.5"], ["-format", "html"], ["-row", "(", "-col", ")"]]


def value(draw, kind, scale, step):
    if kind == "tie":
        return scale + draw.choice([0, 0, step, 2 * step])
    if kind == "equal":
        return scale
    if kind == "zero":
        return draw.choice([0, 0, scale])
    if kind == "negative":
        return draw.choice([-1, 1, 1]) * scale * draw.uniform(0.9, 1.1)
    return scale * draw.uniform(0.93, 1.07)


def number(draw, v):
    if v == int(v) and draw.random() < 0.7:
        return str(int(v))
    text = draw.choice(["%.1f", "%.2f", "%.4g", "%g", "%.3e", "%.12g"]) % v
    # How 0 and -0 lie in order is left to the sort, and benchstat's is not stable.
    return text.lstrip("-") if float(text) == 0 else text


def config_lines(draw, lines):
    for key in draw.sample(CONFIGS, draw.randint(0, 3)):
        lines.append("%s: %s" % (key, draw.choice(
            ["linux", "darwin", "a b", "1", "10", "9k", "", "x/y", "\u00fcber", 'say "hi", ok'])))


def rubbish(draw):
    return draw.choice([
        "PASS", "ok  \tpkg\t1.2s", "", "BenchmarkAlone", "BenchmarkX 1", "BenchmarkX one 2 ns/op",
        "BenchmarkX 1 2", "BenchmarkX 1 x ns/op", "BenchmarkX 99999999999999999999 1 ns/op",
        "Unit", "Unit ns/op", "Unit ns/op better", "Unit ns/op =x", "Upper: no", "key:novalue",
        "key : x", "\u00e9t\u00e9: chaud", "BenchmarkX 1 1e999 ns/op", "BenchmarkX 1 0x1p4 ns/op",
        "BenchmarkX 1 1_000 ns/op", "BenchmarkX 1 Inf x", "BenchmarkX 1 .5 x 5. x",
        "benchmarkX 1 1 ns/op", "--- FAIL: BenchmarkX", "BenchmarkX\t\t+3 \u00a0 1 ns/op"])


def text_of(draw, shape):
    lines = []
    config_lines(draw, lines)
    if draw.random() < 0.25:
        lines.append("Unit %s assume=%s" % (draw.choice(UNITS), draw.choice(["exact", "nothing"])))
    if draw.random() < 0.1:
        lines.append("Unit widgets better=%s assume=exact" % draw.choice(["higher", "lower"]))
    names = [n for n in shape["names"] if draw.random() < shape["presence"]]
    n = shape["n"]() if callable(shape["n"]) else shape["n"]
    for name in names:
        drift = draw.choice([1, 1, 1.001, 1.05, 0.8, 3])
        times = max(1, n + draw.choice([0, 0, 0, -1, 1]))
        for _ in range(times):
            parts = []
            for unit, kind, scale in shape["units"]:
                if draw.random() < shape["measured"]:
                    v = value(draw, kind, scale * drift if kind == "free" else scale, scale / 50)
                    parts.append("%s %s" % (number(draw, v), unit))
            if parts:
                blank = draw.choice([" ", "\t", "   "])
                lines.append("Benchmark%s%s%d%s%s" % (name, blank, draw.randint(1, 10**6), blank,
                                                      blank.join(parts)))
        if draw.random() < shape["rubbish"]:
            lines.append(rubbish(draw))
        if draw.random() < shape["reconfigure"]:
            config_lines(draw, lines)
    end = draw.choice(["\n", "\n", "\r\n"])
    return end.join(lines) + draw.choice([end, ""])


def arguments_of(draw):
    arguments = []

    def maybe(chance, flag, choices):
        if draw.random() < chance:
            chosen = draw.choice(choices)
            arguments.extend(draw.choice([["-" + flag, chosen], ["--%s=%s" % (flag, chosen)]]))

    maybe(0.3, "filter", FILTERS)
    maybe(0.3, "row", EXPRESSIONS)
    maybe(0.3, "col", EXPRESSIONS)
    maybe(0.2, "table", EXPRESSIONS)
    maybe(0.2, "ignore", EXPRESSIONS)
    maybe(0.2, "alpha", ["0.01", "0.1", "1", "0", "1e-9", "0.05"])
    maybe(0.2, "confidence", ["0.99", "0.5", "0", "1", "0.9", "0.999"])
    maybe(0.35, "format", ["csv", "text"])
    return arguments


def drawn_case(seed, index):
    draw = random.Random(seed * 1_000_003 + index)
    units = []
    for unit in draw.sample(UNITS, draw.randint(1, 4)):
        kind = draw.choice(["free", "free", "free", "tie", "equal", "zero", "negative"])
        scale = draw.choice([1, 3, 17, 120.5, 1024, 4096, 65536, 2**20, 1e6, 3.2e9, 0.02, 2.5e-7])
        units.append((unit, kind, scale))
    # n runs from 1 to 50 over the cases, and is drawn for some of them.
    n = index % 50 + 1 if index % 3 else (lambda: draw.choice([1, 2, 3, 4, 5, 6, 7, 10, 26, 33]))
    shape = {
        "names": draw.sample(NAMES, draw.choice([1, 2, 3, 5, 8])), "n": n, "units": units,
        "presence": draw.choice([1, 1, 0.8]), "measured": draw.choice([1, 1, 1, 0.7]),
        "rubbish": draw.choice([0, 0, 0.5]), "reconfigure": draw.choice([0, 0, 0.3]),
    }
    count = draw.choice([1, 2, 2, 2, 3, 3, 4, 6])
    files = {"%s.txt" % "abcdef"[i]: text_of(draw, shape) for i in range(count)}
    inputs = list(files)
    stdin = None
    if draw.random() < 0.2:
        inputs[-1] = draw.choice(["new=", "=", "a b=", "\u00e9="]) + inputs[-1]
    if draw.random() < 0.1:
        inputs.append(inputs[0])
    if draw.random() < 0.07:
        stdin = text_of(draw, shape)
        inputs.append(draw.choice(["-", "std=-"]))
    if draw.random() < 0.04:
        inputs.append(draw.choice(["missing.txt", ".", "x=missing.txt"]))
    return {"name": "drawn_%03d" % index, "files": files,
            "arguments": arguments_of(draw) + inputs, "input": stdin}


def written_cases():
    steady = "goos: linux\n" + "".join(
        "BenchmarkA 100 %d ns/op 16 B/op\nBenchmarkB/n=1-8 7 %d ns/op 0 B/op\n" % (100 + i, 900 - i)
        for i in range(6))
    slower = steady.replace("100 1", "100 2")
    few = "BenchmarkA 1 5 ns/op\nBenchmarkA 1 6 ns/op\n"
    exact = "Unit instrs/op assume=exact\nBenchmarkA 1 5 instrs/op\n"
    cases = []

    def add(name, arguments, files, stdin=None):
        cases.append({"name": name, "files": files, "arguments": arguments, "input": stdin})

    two = {"old.txt": steady, "new.txt": slower}
    add("two_files", ["old.txt", "new.txt"], two)
    add("two_files_csv", ["-format", "csv", "old.txt", "new.txt"], two)
    add("few_samples", ["old.txt", "new.txt"], {"old.txt": few, "new.txt": few.replace("5", "4")})
    add("few_samples_csv", ["-format=csv", "old.txt", "new.txt"],
        {"old.txt": few, "new.txt": few.replace("5", "4")})
    add("exact_unit", ["old.txt", "new.txt"],
        {"old.txt": exact, "new.txt": exact.replace(" 5 ", " 7 ") + "BenchmarkA 1 8 instrs/op\n"})
    add("unit_conflict", ["old.txt", "new.txt"],
        {"old.txt": exact, "new.txt": exact.replace("exact", "nothing")})
    add("labels", ["before=old.txt", "after it=new.txt", "=new.txt"], two)
    add("same_file_twice", ["old.txt", "old.txt"], two)
    add("stdin", ["-", "new.txt"], two, steady)
    add("missing_file", ["old.txt", "nowhere.txt"], two)
    add("folder", ["old.txt", "."], two)
    add("nothing_left", ["-filter", ".name:None", "old.txt"], two)
    add("empty_file", ["old.txt"], {"old.txt": ""})
    add("line_too_long", ["old.txt", "new.txt"],
        {"old.txt": few + "x" * 70000 + "\n" + few, "new.txt": few})
    add("line_just_short_enough", ["old.txt"], {"old.txt": few + "x" * 65535 + "\n" + few})
    add("line_one_too_long", ["old.txt"], {"old.txt": few + "x" * 65536})
    add("bad_utf8", ["old.txt"],
        {"old.txt": "Benchmark\udcff/\udcc3=1 1 1 ns/op\n\udcffkey: x\nk\udcff: \udcff\n" + few})
    add("many_columns", ["f%02d.txt" % i for i in range(30)],
        {"f%02d.txt" % i: few.replace("5", str(5 + i)) for i in range(30)})
    add("many_columns_csv", ["-format", "csv"] + ["f%02d.txt" % i for i in range(30)],
        {"f%02d.txt" % i: few.replace("5", str(5 + i)) for i in range(30)})
    shared = "".join("side: %s\nlong: %s\nBenchmarkA 1 %d ns/op\n" % (side, name, i + 3)
                     for i, (side, name) in enumerate(
                         (s, t) for s in ["left " * 9, "r"] for t in ["x" * 21, "y", "z" * 40]))
    for expression in ["side,long", "long,side", "side,long,.file", ".file,side,long"]:
        add("header_" + expression, ["-col", expression, "-table", "", "a.txt"], {"a.txt": shared})
    add("no_overlap", ["old.txt", "new.txt"], {"old.txt": few, "new.txt": few.replace("A", "B")})
    add("zero_base", ["old.txt", "new.txt"],
        {"old.txt": "BenchmarkA 1 0 x\nBenchmarkB 1 4 x\n" * 6,
         "new.txt": "BenchmarkA 1 3 x\nBenchmarkB 1 4 x\n" * 6})
    add("double_dash", ["-format", "csv", "--", "old.txt"], two)
    for i, wrong in enumerate(WRONG):
        add("wrong_%02d" % i, wrong + ["old.txt"], two)
    return cases


def all_cases(seed, drawn):
    return written_cases() + [drawn_case(seed, i) for i in range(drawn)]
