#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The profiles of a service, read by the unmodified go tool pprof and by vole pprof.

pprof_test.py PROFILE_ME VOLE CASE; ends with 77 where what a case needs is missing.
"""

import os
import re
import socket
import subprocess
import sys

from folio import call, free_port, wait_until
from profiled import P, Profiled, go_pprof, need_go, planted, rows

PROGRAM, VOLE, CASE = sys.argv[1:4]

# Each profile: the fault that fills it, its address, and the fault's function.
PROFILES = {
    "profile": ("cpu", "profile?seconds=2", "sort_all_prices"),
    "heap": ("heap", "heap", "keep_receipt"),
    "allocs": ("churn", "allocs", "print_catalogue"),
    "goroutine": ("goroutines", "goroutine", "wait_for_confirmation"),
    "block": ("wait", "block", "ask_the_warehouse"),
    "block_at_a_lock": ("lock", "block", "count_money"),
    "mutex": ("lock", "mutex", "count_money"),
    "goroutine_delta": ("goroutines", "goroutine?seconds=1", "wait_for_confirmation"),
    "heap_delta": ("heap", "heap?seconds=2", "keep_receipt"),
    "wall": ("wait", "wall?seconds=2", "ask_the_warehouse"),
}
LABELLED = ("profile", "goroutine", "wall")  # samples carry the customer's name


def profile(name):
    fault, page, function = PROFILES[name]
    with Profiled(PROGRAM, fault) as first, Profiled(PROGRAM, fault) as second:
        fetched = os.path.join(first.folder, "fetched.pb.gz")
        first.fill(page, function)

        def fetches():
            """pprof fetches a profile in which the fault shows"""
            first.pprof("-proto", "-output", fetched, first.url(P + page))
            return function in first.pprof("-raw", fetched)
        wait_until(fetches, 60)

        def begins():
            """the fault shows in the first profile"""
            got = first.file("first.pb.gz", P + page)
            return got if function in first.pprof("-raw", got) else None
        before = wait_until(begins, 60)
        second.fill(page, function)

        def differs():
            """the second has another profile than the first"""
            got = second.file("second.pb.gz", P + page)
            return got if rows(first.pprof("-top", "-diff_base", before, got)) else None
        after = wait_until(differs, 60)
        first.stop()  # files need no server, and faults take processors away
        second.stop()
        read_everything(first, fetched, function)
        if name in LABELLED:
            read_by_label(first, fetched, function)
        after_a_restart(first, before, after)


def read_everything(shop, fetched, function):
    """Every report of go tool pprof."""
    cumulative = planted(rows(shop.pprof("-top", "-cum", fetched)))
    assert cumulative[:1] == [function], cumulative
    assert function in shop.pprof("-traces", fetched)
    for form in ("-tree", "-dot", "-callgrind", "-topproto"):
        output = os.path.join(shop.folder, "report")
        # Of many stacks a graph shows the heaviest only, unless told otherwise.
        shop.pprof(form, "-nodefraction=0", "-edgefraction=0", "-nodecount=10000", "-output", output, fetched)
        with open(output, "rb") as report:
            assert form == "-topproto" or function.encode() in report.read(), form
    assert re.search(rf"\| +(?:void )?{function}", shop.pprof("-peek", function, fetched))
    listed = shop.pprof("-list", f"^{function}", fetched)
    assert f"void {function}" in listed and "profile_me.cc" in listed, listed
    shop.pprof("-tags", fetched)
    raw = shop.pprof("-raw", fetched)
    mapping = raw.split("\nMappings\n")[1].splitlines()[0]
    assert "::::" not in raw, "pprof has taken names for mangled ones"
    assert "profile_me" in mapping and mapping.endswith("[FN][FL][LN][IN]"), mapping
    assert not [row for row in rows(shop.pprof("-top", "-diff_base", fetched, fetched)) if row[0] != "0"]
    assert not [row for row in rows(shop.pprof("-top", "-base", fetched, fetched)) if row[0] != "0"]
    for granularity in ("lines", "files", "addresses", "filefunctions"):
        assert rows(shop.pprof("-top", f"-{granularity}", fetched)), granularity


def read_by_label(shop, fetched, function):
    tags = shop.pprof("-tags", fetched)
    for customer in ("ann", "ben", "cid", "dot"):
        assert customer in tags, tags
    of_one = shop.pprof("-top", "-cum", "-tagfocus=customer=ann", fetched)
    assert planted(rows(of_one))[:1] == [function], of_one
    of_nobody = shop.pprof("-top", "-cum", "-tagignore=customer=.", fetched)
    assert function not in of_nobody, of_nobody
    by_customer = shop.pprof("-top", "-cum", "-tagroot=customer", fetched)
    assert re.search(r"% +ann\b", by_customer), by_customer


def mappings(raw):
    """Number -> (start, file) of -raw."""
    found = {}
    for line in raw.split("\nMappings\n")[1].splitlines():
        if line:
            number, range_, file = line.split()[:3]
            found[int(number.rstrip(":"))] = (int(range_.split("/")[0], 16), file)
    return found


def places(raw):
    """The locations of -raw, each as (file, distance from where it is loaded)."""
    where = mappings(raw)
    found = []
    for line in raw.split("\nLocations\n")[1].split("\nMappings\n")[0].splitlines():
        match = re.match(r" *[0-9]+: (0x[0-9a-f]+) M=([0-9]+) ", line)
        if match:
            start, file = where[int(match[2])]
            found.append((file, int(match[1], 16) - start))
    return found


def after_a_restart(shop, before, after):
    """The same program at other addresses: what is the same must meet."""
    raws = [shop.pprof("-raw", one) for one in (before, after)]
    starts = [mappings(raw)[1][0] for raw in raws]
    assert starts[0] != starts[1], "the loader put both at the same address: nothing is shown"
    both = shop.pprof("-raw", before, after)
    assert len(places(both)) == len(set(places(raws[0])) | set(places(raws[1]))) > 0
    loaded = [start_and_file for raw in raws for start_and_file in mappings(raw).values()]
    assert len(mappings(both)) < len(loaded), mappings(both)
    for flag in ("-diff_base", "-base"):
        assert rows(shop.pprof("-top", "-cum", flag, before, after))


def every_profile_is_read():
    """Also those that no fault fills."""
    need_go()
    with Profiled(PROGRAM, "none") as shop:
        fetched = os.path.join(shop.folder, "fetched.pb.gz")
        for page in ("threadcreate", "goroutineleak", "delta_heap", "delta_block", "delta_mutex", "profile?seconds=1",
                     "heap?gc=1", "allocs?seconds=1", "block?seconds=1", "mutex?seconds=1", "threadcreate?seconds=1", "wall?seconds=1",
                     "/debug/fgprof?seconds=1"):
            shop.pprof("-proto", "-output", fetched, shop.url(page if page.startswith("/") else P + page))
            for report in ("-top", "-traces", "-raw"):
                shop.pprof(report, fetched)


def every_page_of_the_pprof_site_is_answered():
    need_go()
    with Profiled(PROGRAM, "cpu") as shop:
        kept = shop.file("cpu.pb.gz", P + "profile?seconds=1")
        address = f"127.0.0.1:{free_port()}"
        site = subprocess.Popen([go_pprof(), f"-http={address}", "-no_browser", kept],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            def answers():
                """pprof serves its site"""
                try:
                    return call(address, "GET", "/ui/flamegraph", timeout=20)
                except OSError:
                    return None
            assert "sort_all_prices" in wait_until(answers).body.decode()
            for page in ("top", "peek?f=sort_all_prices"):
                got = call(address, "GET", "/ui/" + page, timeout=20)
                assert got.status == 200 and "sort_all_prices" in got.body.decode(), page
        finally:
            site.kill()
            site.wait()


def text_forms_are_read_and_named_by_pprof():
    """The debug=1 texts have no names for pprof: it asks /symbol for them."""
    need_go()
    with Profiled(PROGRAM, "heap") as shop:
        for name, function in (("goroutine", "shop_again_and_again"), ("heap", "keep_receipt")):
            shop.fill(name, function)
            environment = dict(os.environ, PPROF_TMPDIR=shop.folder)
            done = subprocess.run([go_pprof(), "-top", "-cum", shop.url(P + name + "?debug=1")],
                                  capture_output=True, text=True, timeout=60, env=environment, check=False)
            assert done.returncode == 0 and function in done.stdout, (name, done.stdout, done.stderr)


# --- vole pprof ---

def vole_pprof(*words, status=0, **more):
    done = subprocess.run([VOLE, "pprof", *words], capture_output=True, text=True, timeout=90, check=False, **more)
    assert done.returncode == status, (words, done.returncode, done.stderr)
    return done


def vole_pprof_prints_gos_figures():
    need_go()
    with Profiled(PROGRAM, "lock") as shop:
        files = [shop.file("cpu.pb.gz", P + "profile?seconds=2"), shop.file("again.pb.gz", P + "profile?seconds=1")]
        files += [shop.file(name, P + name) for name in ("goroutine", "mutex", "block", "threadcreate", "wall?seconds=2")]
        shop.switch("heap")
        shop.fill("heap", "keep_receipt")
        hidden = [shop.file(name, P + name) for name in ("heap", "allocs")]  # they ask to hide operator new
        assert "operator new" in shop.pprof("-raw", hidden[0])
        shop.stop()
        for kept in hidden:
            assert "operator new" not in vole_pprof("-flame", kept).stdout
        for kept in files + hidden:
            for flags in ((), ("-cum",)):
                theirs, ours = shop.pprof("-top", *flags, kept), vole_pprof("-top", *flags, kept).stdout
                assert theirs.splitlines() == ours.splitlines(), (kept, theirs, ours)
        theirs = rows(shop.pprof("-top", "-diff_base", files[1], files[0]))
        assert theirs and theirs == rows(vole_pprof("-top", "-diff", files[1], files[0]).stdout)


def vole_pprof_reads_what_runs():
    with Profiled(PROGRAM, "cpu", "--admin-token", "s3cret") as shop:
        environment = dict(os.environ, VOLE_ADMIN_TOKEN="s3cret")
        got = vole_pprof("-seconds", "1", shop.address, env=environment)
        assert "sort_all_prices" in got.stdout, got.stdout
        tree = vole_pprof("-flame", shop.address + P + "goroutine", env=environment).stdout
        assert re.search(r"^ +[0-9]+ +[0-9.]+%  .*shop_again_and_again", tree, re.M), tree
        page = os.path.join(shop.folder, "page.html")
        vole_pprof("-flame", "-o", page, shop.address + P + "goroutine", env=environment)
        with open(page, encoding="utf-8") as f:
            assert "shop_again_and_again" in f.read()
        kept = shop.keep("g", shop.get(P + "goroutine", headers={"Authorization": "Bearer s3cret"}).body)
        with open(kept, "rb") as piped:
            assert "Type: goroutine" in vole_pprof("-", stdin=piped).stdout
        refused = vole_pprof(shop.address + P + "heap", status=1)
        assert "401 Unauthorized" in refused.stderr, refused.stderr


def vole_pprof_says_what_is_wrong():
    with Profiled(PROGRAM, "none") as shop:
        unknown = vole_pprof(shop.address + P + "nosuch", status=1).stderr
        assert "404 Not Found: Unknown profile" in unknown, unknown
        text = vole_pprof(shop.address + P + "cmdline", status=1).stderr
        assert "not a profile: neither gzip nor profile.proto" in text, text
        cut = shop.keep("cut", shop.get(P + "goroutine").body[:100])
        assert "the gzip data ends too early" in vole_pprof(cut, status=1).stderr
        goroutines, threads = shop.file("a", P + "goroutine"), shop.file("b", P + "threadcreate")
        other = vole_pprof("-diff", threads, goroutines, status=1).stderr
        assert "the base has other values (threadcreate) than the profile (goroutine)" in other, other
        assert "no sample type 'cpu': there are goroutine" in vole_pprof("-type", "cpu", goroutines, status=1).stderr
        assert "-o FILE.html" in vole_pprof("-flame", "-diff", goroutines, goroutines, status=2).stderr
        with socket.socket() as silent:  # bound, so that nobody else listens there
            silent.bind(("127.0.0.1", 0))
            closed = silent.getsockname()[1]
            gone = vole_pprof(f"127.0.0.1:{closed}/debug/pprof/heap", status=1).stderr
        assert "connection refused" in gone and str(closed) in gone, gone
        assert "no such file" in vole_pprof("/nowhere/at.all", status=1).stderr.lower()
        assert "SOURCE" in vole_pprof("--help").stdout
        vole_pprof(status=2)
        vole_pprof("-nosuch", goroutines, status=2)


if CASE.startswith("profile."):
    need_go()
    profile(CASE.split(".")[1])
else:
    globals()[CASE]()
