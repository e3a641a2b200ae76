# SPDX-License-Identifier: Apache-2.0
"""Goroutines for gdb, in a live process and in a core file (x86-64).

  (gdb) source vole_gdb.py
  (gdb) goroutines                 lists them: id, state, where, who started it
  (gdb) goroutine 7 bt             runs a command with goroutine 7's frames below frame 0
  (gdb) goroutine all bt 5         for each goroutine

Within `goroutine N COMMAND` frame 1 is the goroutine's innermost frame and is selected: `bt`,
`info locals`, `frame function NAME` do what they do for a thread. The program needs vole's debug
information (-g). Core files are the kernel's: gdb's own generate-core-file cannot read the stacks
over their guards.
"""
import struct

import gdb
from gdb.unwinder import Unwinder, register_unwinder

SAVED = ("r15", "r14", "r13", "r12", "rbx", "rbp")  # as vole_fiber_switch leaves them


def atomic(value):
    """What a std::atomic holds."""
    kind = value.type.strip_typedefs().template_argument(0)
    return value.address.cast(kind.pointer()).dereference()


def word_at(address):
    return struct.unpack("<Q", gdb.selected_inferior().read_memory(address, 8))[0]


def enumerator(value):
    return str(value).rsplit("::", 1)[-1]


class Goroutine:
    def __init__(self, block):
        self.block = block
        self.id = int(atomic(block["id"]))
        self.state = enumerator(atomic(block["state"]))
        self.running_on = None

    def saved_registers(self):
        sp = int(self.block["context"]["sp"])
        registers = {name: word_at(sp + 8 * i) for i, name in enumerate(SAVED)}
        registers["rip"] = word_at(sp + 8 * len(SAVED))
        registers["rsp"] = sp + 8 * (len(SAVED) + 1)
        return registers

    def state_text(self):
        if self.state == "parked":
            return enumerator(atomic(self.block["why"])).replace("_", " ")
        return "blocking call" if self.state == "blocking" else self.state

    def switched_out(self):
        # Null: its thread is on the way from there, or to it.
        return self.state in ("parked", "runnable") and int(self.block["context"]["sp"]) != 0

    def function(self):
        """The innermost frame that is not the runtime's own."""
        if not self.switched_out():
            return "thread %d" % self.running_on.num if self.running_on else "?"
        registers = self.saved_registers()
        pc, frame = registers["rip"], registers["rbp"]
        while True:
            name = name_of(pc - 1)
            if name is not None:
                return name
            try:
                pc, frame = word_at(frame + 8), word_at(frame)
            except gdb.MemoryError:
                return "?"

    def creator(self):
        return name_of(int(atomic(self.block["created_by"])) - 1) or "vole"


def name_of(pc):
    """The function there, or None when it is vole's own: inlined ones are looked through."""
    block = gdb.block_for_pc(pc)
    if block is None:
        text = gdb.execute("info symbol %d" % pc, to_string=True)
        return text.split(" + ")[0] if " in section" in text else hex(pc)
    while block is not None and not block.is_static:
        function = block.function
        if function is not None and not is_own(function):
            return "%s at %s:%d" % (function.print_name, function.symtab.filename, function.line)
        block = block.superblock
    return None


def is_own(function):
    return "include/vole/" in function.symtab.filename or function.print_name.startswith("vole::internal::")


def scheduler():
    try:
        return gdb.parse_and_eval("vole::internal::scheduler_instance")["value"]
    except gdb.error:
        raise gdb.GdbError("this program has no vole scheduler, or no debug information of it") from None


def slabs():
    start = scheduler()["stacks_"]["slabs_"]["_M_impl"]["_M_start"]
    end = scheduler()["stacks_"]["slabs_"]["_M_impl"]["_M_finish"]
    pointer = gdb.lookup_type("vole::internal::slab").pointer()
    for at in range(int(start), int(end), 8):
        yield gdb.Value(word_at(at)).cast(pointer).dereference()


def threads_by_goroutine():
    """The thread on which each goroutine runs: its worker knows the thread's id."""
    by_tid = {thread.ptid[1]: thread for thread in gdb.selected_inferior().threads()}
    found = {}
    workers = scheduler()["workers_"]
    first, last = workers.type.range()
    for i in range(first, last + 1):
        worker = atomic(workers[i])
        if int(worker) == 0:
            break
        on_cpu = int(atomic(worker["on_cpu"]))
        if on_cpu:
            found[on_cpu] = by_tid.get(int(atomic(worker["tid"])))
    return found


def goroutines():
    kind = gdb.lookup_type("vole::internal::goroutine")
    sizes = gdb.parse_and_eval("vole::internal::stack_class_bytes")
    running = threads_by_goroutine()
    for slab in slabs():
        stack = int(sizes[int(slab["size_class"])])
        occupied = word_at(int(slab["occupied"].address))
        used = bytes(gdb.selected_inferior().read_memory(occupied, int(slab["slots"])))
        for slot, is_used in enumerate(used):
            if not is_used:
                continue
            at = int(slab["base"]) + (slot + 1) * stack - kind.sizeof - slot % 8 * 64
            g = Goroutine(gdb.Value(at).cast(kind.pointer()).dereference())
            if g.id == 0 or g.state == "dead":
                continue
            g.running_on = running.get(at)
            yield g


def all_goroutines():
    """By id. The names are C++'s, whatever the language of the frame is that gdb stands in."""
    with gdb.with_parameter("language", "c++"):
        return sorted(goroutines(), key=lambda g: g.id)


class Switched(Unwinder):
    """While a goroutine is chosen: what frame 0 of the thread returns to is the goroutine."""

    def __init__(self):
        super().__init__("vole-goroutine")
        self.registers = None
        self.thread_sp = None

    def __call__(self, pending):
        if self.registers is None or int(pending.read_register("rsp")) != self.thread_sp:
            return None
        made = pending.create_unwind_info(
            FrameId(pending.read_register("rsp"), pending.read_register("rip")))
        for name, value in self.registers.items():
            made.add_saved_register(name, gdb.Value(value).cast(pending.read_register(name).type))
        return made


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


SWITCHED = Switched()


def with_goroutine(g, command):
    if not g.switched_out():
        if g.running_on is None:
            raise gdb.GdbError("goroutine %d is %s and its thread is not known" % (g.id, g.state_text()))
        before = gdb.selected_thread()
        g.running_on.switch()
        try:
            gdb.execute(command)
        finally:
            before.switch()
        return
    frame = gdb.newest_frame()
    SWITCHED.thread_sp = int(frame.read_register("rsp"))
    SWITCHED.registers = g.saved_registers()
    gdb.invalidate_cached_frames()
    try:
        gdb.newest_frame().older().select()
        gdb.execute(command)
    finally:
        SWITCHED.registers = None
        gdb.invalidate_cached_frames()


class GoroutinesCommand(gdb.Command):
    """List the goroutines: id, state, where it waits or runs, who started it."""

    def __init__(self):
        super().__init__("goroutines", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for g in all_goroutines():
            print("%6d  %-16s %s  (created by %s)" % (g.id, g.state_text(), g.function(), g.creator()))


class GoroutineCommand(gdb.Command):
    """Run a command in a goroutine: goroutine ID|all COMMAND."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        which, _, command = argument.partition(" ")
        if not which or not command or not (which == "all" or which.isdigit()):
            raise gdb.GdbError("usage: goroutine ID|all COMMAND, as in: goroutine 7 bt")
        found = [g for g in all_goroutines() if which == "all" or g.id == int(which)]
        if not found:
            raise gdb.GdbError("there is no goroutine %s" % which)
        for g in found:
            if which != "all":
                with_goroutine(g, command)
                continue
            print("\ngoroutine %d [%s]:" % (g.id, g.state_text()))
            try:
                with_goroutine(g, command)
            except gdb.GdbError as unknown:
                print(unknown)


register_unwinder(None, SWITCHED, replace=True)
GoroutinesCommand()
GoroutineCommand()
