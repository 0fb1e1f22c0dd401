#!/usr/bin/env python3
"""Writes hack/layout.ld: which functions a server calls, so that the linker puts them side by side.

What every server calls comes first, then what one calls that also looks after a cluster.

The kernel maps a program 64 kB at a time, so a function that is called takes its neighbours into memory with it. Reads the
linker's map and what callgrind counted (`make layout`); names lose their hashes, so that the list outlives changes of the code.
A name that is no longer there costs nothing, and a new one lies among what is rarely called until the list is made anew.
"""

import bisect
import collections
import fnmatch
import glob
import re
import sys


def functions(map_file):
    """The input sections with code: address, size, pattern that finds it."""
    found, output = [], None
    for line in open(map_file, encoding="utf-8", errors="replace"):
        section = re.match(r"\s*[0-9a-f]+\s+[0-9a-f]+\s+[0-9a-f]+\s+\d+ (\S+)$", line)
        if section:
            output = section.group(1)
            continue
        part = re.match(r"\s*([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)\s+\d+ {9}(\S.*):\((\.text\S*)\)$", line)
        if part and output.startswith(".text"):
            address, size, file, name = part.groups()
            found.append((int(address, 16), int(size, 16), pattern(file, name)))
    return sorted(found)


def pattern(file, name):
    """A linker script's pattern for a section, without what changes from build to build."""
    if name == ".text":
        file = file.split("/")[-1].replace("(", ":").rstrip(")")
        file = re.sub(r"-[0-9a-f]{16}\.rlib", "-*.rlib", file)
        file = re.sub(r":[0-9a-f]{16}-", ":*", file)
        return f"*{file}(.text)"
    name = re.sub(r"17h[0-9a-f]{16}E.*$", "17h*", name)
    name = re.sub(r"Cs[0-9A-Za-z]+_", "Cs*_", re.sub(r"^(\.text\._R.*)\.\d+$", r"\1*", name))
    return f"*({name})"


def called(callgrind_file, starts):
    """The addresses of the instructions that ran, as the linker counts them."""
    ran, entered = collections.defaultdict(set), collections.defaultdict(set)
    mapping, address = None, 0
    for line in open(callgrind_file, encoding="utf-8"):
        if line.startswith("ob="):
            mapping = line.split()[0]
        elif function := re.match(r"fn=\(\d+\) 0x([0-9a-f]+)", line):
            entered[mapping].add(int(function.group(1), 16))
        elif line[0] in "0123456789+*-":
            word = line.split()[0]
            if word.startswith("0x"):
                address = int(word, 16)
            elif word != "*":
                address += int(word)
            ran[mapping].add(address)
    # Of a program without symbols, valgrind gives addresses in memory or in the file: whichever finds functions where they begin.
    found = set()
    for mapping, addresses in ran.items():
        known = lambda offset: sum(entry - offset in starts for entry in entered[mapping])
        offset = max(range(0, 1 << 22, 1 << 12), key=known)
        found.update(address - offset for address in addresses)
    return found


def words(name):
    """A mangled name by its parts, so that a common beginning is a module; other names are one word."""
    start = re.match(r"\*\(\.text\.(unlikely\.)?_ZN", name)
    if not start:
        return [name]
    found, at = [start.group(0)], start.end()
    while (length := re.match(r"\d+", name[at:])) and not name.startswith("17h*", at):
        end = at + length.end() + int(length.group(0))
        found.append(name[at:end])
        at = end
    return found + [name[at:]]


def shortened(size, hit):
    """The names that were called; a module with little that was not called stands as a whole."""
    below = collections.defaultdict(list)
    for name in size:
        parts = words(name)
        for end in range(2, len(parts)):
            below["".join(parts[:end])].append(name)

    def whole(names):
        unused = sum(size[name] for name in names if name not in hit)
        return unused <= max(512, sum(size[name] for name in names) / 20)

    found = set()
    for name in hit:
        parts = words(name)
        prefixes = ("".join(parts[:end]) for end in range(2, len(parts)))
        found.add(next((f"{prefix}*)" for prefix in prefixes if whole(below[prefix])), name))
    return found


def main(map_file, *runs):
    parts = functions(map_file)
    starts = [part[0] for part in parts]
    size = collections.Counter()
    for _, length, name in parts:
        size[name] += length
    print("/* Made by `make layout`; do not edit. What a server calls, side by side: hack/layout.py says why. */\nSECTIONS\n{")
    for section, files in zip((".text.near", ".text.cluster"), runs):
        hit = set()
        for file in files:
            for address in called(file, frozenset(starts)):
                at = bisect.bisect_right(starts, address) - 1
                if at >= 0 and address < parts[at][0] + parts[at][1] and parts[at][2] in size:
                    hit.add(parts[at][2])
        names = sorted(shortened(size, hit))
        print(f"  {section} : ALIGN(4096)\n  {{")
        for name in names:
            print(f"    {name}")
        print("  }")
        here = [name for name in size if any(fnmatch.fnmatchcase(name, short) for short in names)]
        print(f"{section}: {len(names)} names, {sum(size[name] for name in here)} bytes", file=sys.stderr)
        for name in here:
            del size[name]
    print("}\nINSERT BEFORE .text;")


if __name__ == "__main__":
    main(sys.argv[1], *(glob.glob(f"{folder}/*.calls") for folder in sys.argv[2:]))
