#!/usr/bin/env python3
"""Puts the layers into a Darknet tree, and takes them out again.

    scripts/patch.py TREE               copy the files of layers/*/ into TREE's sources, apply the edits of patches/*.anchors
    scripts/patch.py TREE --reverse     the exact inverse
    scripts/patch.py --list             the edits, and why each is there

Every anchor is checked before the first byte is written. TREE/snn.manifest is written first
and deleted last, and each file changes by one rename, so a run that was killed leaves a tree
which both --reverse and a second apply understand. Exit status 0, 1 (refused), 2 (usage).
"""
import argparse
import difflib
import hashlib
import json
import os
import re
import shlex
import stat
import sys

MANIFEST = "snn.manifest"
FORMAT = 1
STAGED = ".snn-new"  # a file's next content, beside it until the rename
COPIED_SUFFIXES = (".c", ".h", ".cu", ".mk", ".cmake")
SOURCES = ("src", "src-lib")  # where families have their sources; a family says so by into:
KEYS = ("family", "requires", "lacks", "into", "file", "edit", "switch", "why", "match", "put")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Refusal(Exception):
    """Nothing was changed; args[0] is the list of reasons, one line each."""


def shown(path):
    """The path as a reader in the current folder would type it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def is_plain_name(name):
    """True for a relative path that stays inside the tree."""
    parts = name.split("/")
    return bool(name) and not any(p in ("", ".", "..") or re.search(r"[\\:\x00-\x1f]", p) for p in parts)


def digest(data):
    return hashlib.sha256(data).hexdigest()


# ---- anchor files ----------------------------------------------------------------------------

def read_anchors(path, problems):
    """Parses one anchor file; every mistake is appended to problems.

    Returns {"name", "path", "into", "requires", "lacks", "edits"}; an edit is
    {"name", "file", "switch", "why", "match", "put", "where"}.
    """
    family = {"name": None, "path": shown(path), "into": SOURCES[0], "requires": [], "lacks": [], "edits": []}
    file = edit = block = None
    with open(path, "rb") as f:
        lines = f.read().replace(b"\r\n", b"\n").split(b"\n")

    def mistake(number, expected, got):
        problems.append(f'{shown(path)}:{number}: expected {expected}, got "{got}"')

    def finish():
        for key in ("why", "match", "put"):
            if edit and not edit[key]:
                mistake(edit["line"], f'edit "{edit["name"]}" to have {key}: and its text', "nothing")
        if edit and edit["match"] and edit["match"] == edit["put"]:
            mistake(edit["line"], f'match and put of edit "{edit["name"]}" to differ', "the same text")

    for number, raw in enumerate(lines, 1):
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            mistake(number, "UTF-8 text", raw.decode("ascii", "backslashreplace"))
            continue
        if line.startswith("|") and block:
            edit[block] = line[1:] if edit[block] is None else edit[block] + "\n" + line[1:]
            continue
        block = None
        if not line.strip() or line.startswith("#"):
            continue
        key, colon, value = line.partition(":")
        value = value.strip()
        if not colon or key not in KEYS:
            mistake(number, ":, ".join(KEYS[:-1]) + f": or {KEYS[-1]}:", line)
        elif key in ("match", "put") and value:
            mistake(number, f'nothing after "{key}:" (the text follows, each line behind a "|")', value)
        elif key not in ("match", "put") and not value:
            mistake(number, f'a text after "{key}:"', "")
        elif key == "into" and value not in SOURCES:
            mistake(number, " or ".join(SOURCES), value)
        elif key in ("requires", "lacks", "file") and not is_plain_name(value):
            mistake(number, "a path inside the tree", value)
        elif key in ("edit", "switch", "family") and not re.fullmatch(r"[\w.-]+", value):
            mistake(number, "a name of letters, digits, '.', '_' and '-'", value)
        elif key == "family" and family["name"]:
            mistake(number, "one family: per file", value)
        elif key == "family":
            family["name"] = value
        elif key == "into":
            family["into"] = value
        elif key in ("requires", "lacks"):
            family[key].append(value)
        elif key == "file":
            finish()
            file, edit = value, None
        elif key == "edit" and file is None:
            mistake(number, "file: before the first edit:", line)
        elif key == "edit":
            finish()
            if any(e["name"] == value for e in family["edits"]):
                mistake(number, "an edit name not used before in this family", value)
            edit = {"name": value, "file": file, "switch": None, "why": None, "match": None, "put": None,
                    "line": number, "where": f"{shown(path)}:{number}"}
            family["edits"].append(edit)
        elif edit is None:
            mistake(number, f"edit: before {key}:", line)
        elif edit[key] is not None:
            mistake(number, f'one {key}: in edit "{edit["name"]}"', line)
        elif key in ("match", "put"):
            block = key
        else:
            edit[key] = value
    finish()
    if family["name"] is None:
        mistake(1, "family: NAME somewhere in the file", "none")
    return family


def read_families(folder):
    """All families of the anchors folder; raises Refusal naming every mistake."""
    if not os.path.isdir(folder):
        raise Refusal([f"{shown(folder)}: expected a folder of .anchors files"])
    names = sorted(n for n in os.listdir(folder) if n.endswith(".anchors"))
    problems = [] if names else [f"{shown(folder)}: expected .anchors files, found none"]
    families = [read_anchors(os.path.join(folder, n), problems) for n in names]
    seen = {}
    for family in families:
        if family["name"] in seen and family["name"]:
            problems.append(f'{family["path"]}:1: expected a family of its own, got "{family["name"]}"'
                            f' as in {seen[family["name"]]}')
        seen[family["name"]] = family["path"]
    if problems:
        raise Refusal(problems)
    return families


def choose_family(families, tree, name):
    """The family called name, or without a name the only one that fits the tree."""
    if name:
        for family in families:
            if family["name"] == name:
                return family
        known = ", ".join(f["name"] for f in families)
        raise Refusal([f'{tree}: expected a family of {known}, got "{name}"'])

    reasons, fitting = [], []
    for family in families:
        wrong = [f"no {p}" for p in family["requires"] if not os.path.isfile(os.path.join(tree, p))]
        wrong += [f"has {p}" for p in family["lacks"] if os.path.isfile(os.path.join(tree, p))]
        reasons.append(f'{tree}: family {family["name"]}: ' + (", ".join(wrong) or "fits"))
        fitting += [] if wrong else [family]
    if len(fitting) != 1:
        raise Refusal([f"{tree}: expected a Darknet tree of exactly one family, found {len(fitting)} that fit"
                       " (--family NAME chooses one)"] + reasons)
    return fitting[0]


# ---- edits on bytes --------------------------------------------------------------------------

def places(data, text):
    """Every position of text in data, overlapping ones too."""
    found, at = [], data.find(text)
    while at >= 0:
        found.append(at)
        at = data.find(text, at + 1)
    return found


def overlaps(spots):
    """Pairs of neighbouring (at, old, new, edit) spots that share a byte."""
    ordered = sorted(spots, key=lambda s: s[0])
    return [(a[3], b[3]) for a, b in zip(ordered, ordered[1:]) if a[0] + len(a[1]) > b[0]]


def substitute(data, spots):
    for at, old, new, _ in sorted(spots, key=lambda s: s[0], reverse=True):
        data = data[:at] + new + data[at + len(old):]
    return data


def is_applied(data, match, put):
    """put usually contains match, so it is looked for first; a put inside its match proves nothing."""
    return len(places(data, put)) == 1 and (put not in match or not places(data, match))


def undo(data, edits):
    """Returns (data with every put turned back into its match, bytes that were put, lost edits' names).

    An edit whose put is not there counts as undone if its match is, and none of the words
    that only its put brought into the file; else somebody has edited inside it: it is lost.
    """
    spots, missing = [], []
    for edit in edits:
        match, put = edit["match"].encode(), edit["put"].encode()
        if is_applied(data, match, put):
            spots.append((places(data, put)[0], put, match, edit["name"]))
        else:
            missing.append((match, put, edit))
    lost = [name for pair in overlaps(spots) for name in pair]
    if lost:
        return data, 0, lost
    rest = substitute(data, spots)
    words = set(re.findall(rb"\w+", rest))
    for match, put, edit in missing:
        own = {word.encode() for word in edit["words"]}
        if len(places(rest, match)) != 1 or (match in put and (not own or own & words)):
            lost.append(edit["name"])
    return rest, sum(len(s[1]) for s in spots), lost


def pristine(data, entry):
    """Returns (the file without our edits, lost edits' names); entry is the manifest's.

    A killed update leaves files in the former or the present state: the sum decides, and
    where the user changed the file too, the state of which most can be taken out.
    """
    if digest(data) == entry["sha256"]:
        return data, []
    tries = [undo(data, edits) for edits in [entry["edits"]] + entry.get("former", [])]
    exact = [t for t in tries if digest(t[0]) == entry["sha256"] and not t[2]]
    best = exact[0] if exact else min(tries, key=lambda t: (len(t[2]), -t[1]))
    return best[0], best[2]


def apply_edits(data, edits, path, problems):
    """Returns (data with the edits, the edits as the manifest keeps them)."""
    crlf = data.count(b"\r\n") == data.count(b"\n") > 0
    spots, kept, count = [], [], len(problems)
    words = set(re.findall(rb"\w+", data))
    for edit in edits:
        match, put = (edit[k].replace("\n", "\r\n" if crlf else "\n") for k in ("match", "put"))
        found = places(data, match.encode())
        who = f'anchor "{edit["name"]}" ({edit["where"]})'
        there = len(places(data, put.encode())) == 1
        if there and (match in put or (put not in match and not found)):
            problems.append(f"{path}: {who}: its text is there already, but {MANIFEST} does not say so;"
                            " start from a fresh copy of this file")
        elif len(found) != 1:
            problems.append(f"{path}: {who}: expected exactly one match, found {len(found)}")
        else:
            spots.append((found[0], match.encode(), put.encode(), who))
        own = sorted(w.decode() for w in set(re.findall(rb"\w+", put.encode())) - words)
        kept.append({"name": edit["name"], "match": match, "put": put, "words": own})
    problems += [f"{path}: {a} and {b} overlap" for a, b in overlaps(spots)]
    if len(problems) > count:
        return data, kept
    result = substitute(data, spots)
    back, _, lost = undo(result, kept)
    if back != data or lost:
        names = ", ".join(lost or [e["name"] for e in edits])
        problems.append(f"{path}: the edits {names} could not be undone: their put text would occur"
                        " again elsewhere in the file")
    return result, kept


# ---- the tree --------------------------------------------------------------------------------

def is_link(tree, name):
    parts = name.split("/")
    return any(os.path.islink(os.path.join(tree, *parts[:n])) for n in range(1, len(parts) + 1))


def read(tree, name, problems):
    """The file's bytes, or None if it is not there; anything but a plain file is a problem."""
    path = os.path.join(tree, name)
    if is_link(tree, name):
        problems.append(f"{path}: expected a file of its own, found a link")
    elif os.path.lexists(path) and not os.path.isfile(path):
        problems.append(f"{path}: expected a file, found something else")
    elif os.path.lexists(path):
        try:
            with open(path, "rb") as f:
                return f.read()
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
    return None


def read_manifest(tree):
    """Returns (manifest, its bytes), both None in a tree without one."""
    problems = []
    data = read(tree, MANIFEST, problems)
    if problems:
        raise Refusal(problems)
    if data is None:
        return None, None
    path = os.path.join(tree, MANIFEST)
    try:
        manifest = json.loads(data)
        if manifest["format"] != FORMAT:
            raise Refusal([f'{path}: expected format {FORMAT}, got "{manifest["format"]}"'])
        for name, entry in [*manifest["copied"].items(), *manifest["edited"].items()]:
            if not is_plain_name(name) or not isinstance(entry["sha256"], str):
                raise ValueError(name)
        for entry in manifest["edited"].values():
            int(entry["mode"], 8)
            for edit in sum(entry.get("former", []), entry["edits"]):
                if not all(isinstance(edit[k], str) for k in ("name", "match", "put")) or not edit["put"]:
                    raise ValueError(edit)
                if not all(isinstance(w, str) for w in edit["words"]):
                    raise ValueError(edit)
        return manifest, data
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refusal([f"{path}: expected a manifest written by patch.py, got something else"]) from None


def manifest_bytes(manifest):
    return (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()


def check_copied(tree, old, data, name, allowed, force, problems):
    if name in old["copied"] and data is not None and not force:
        entry = old["copied"][name]
        if digest(data) not in {entry["sha256"], *entry.get("former", []), *allowed}:
            problems.append(f"{os.path.join(tree, name)}: changed since it was copied here;"
                            " save your change, then --force drops it")


def pristine_files(tree, old, problems):
    """{name: (bytes now, bytes without our edits)} for every file the manifest says is edited."""
    files = {}
    for name, entry in old["edited"].items():
        before = len(problems)
        data = read(tree, name, problems)
        path = os.path.join(tree, name)
        if data is None:
            if len(problems) == before:
                problems.append(f"{path}: expected the file that was edited, found none")
            continue
        clean, lost = pristine(data, entry)
        problems += [f'{path}: edit "{edit}": expected its text exactly once, as it was put; it has'
                     " been changed: restore it (or the whole file) first" for edit in lost]
        files[name] = (data, clean)
    return files


def read_layers(layers, into, problems):
    """{"INTO/NAME": bytes} of the source files under layers/. The host's folder is flat, so that
    its build and its includes stay as they are: names must differ, whatever their folders."""
    found = {}
    for folder, inner, names in os.walk(layers):
        inner[:] = sorted(n for n in inner if not n.startswith("."))
        for name in sorted(names):
            if name.startswith(".") or not name.endswith(COPIED_SUFFIXES):
                continue
            path = os.path.join(folder, name)
            if name in found:
                problems.append(f"{shown(path)}: expected a file name of its own, {shown(found[name])} has it too")
            found.setdefault(name, path)
    if not found:
        problems.append(f"{shown(layers)}: expected the layers' source files, found none")
    return {f"{into}/{name}": read_file(path) for name, path in found.items()}


def read_file(path):
    with open(path, "rb") as f:
        return f.read()


def plan_apply(tree, family, layers, without, old, force):
    """Returns (plan, transitional manifest, final manifest); plan is {name: (bytes now, bytes then)},
    None meaning no file. Raises Refusal with every problem found."""
    problems, plan = [], {}
    first = {"format": FORMAT, "family": family["name"], "without": without, "copied": {}, "edited": {}}
    last = dict(first, copied={}, edited={})
    files = pristine_files(tree, old, problems)

    by_file = {}
    for edit in family["edits"]:
        if edit["switch"] not in without:
            by_file.setdefault(edit["file"], []).append(edit)
    for name in sorted({*by_file, *old["edited"]}):
        path, before = os.path.join(tree, name), len(problems)
        was = old["edited"].get(name)
        if was is None:
            data = None if name in old["copied"] else read(tree, name, problems)
            if data is not None:
                files[name] = (data, data)
            elif len(problems) == before:
                problems.append(f"{path}: expected a file of the host to edit, found none")
        if name not in files:
            continue
        data, clean = files[name]
        result, edits = apply_edits(clean, by_file.get(name, []), path, problems)
        plan[name] = (data, result)
        if name not in by_file:
            first["edited"][name] = was
            continue
        entry = {"sha256": digest(clean), "mode": f"{stat.S_IMODE(os.stat(path).st_mode):04o}"}
        entry = {**entry, **{key: was[key] for key in entry if was}, "edits": edits}
        former = [e for e in [was["edits"], *was.get("former", [])] if e != edits] if was else []
        last["edited"][name] = entry
        first["edited"][name] = dict(entry, former=former) if former else entry

    fresh = read_layers(layers, family["into"], problems)
    for name in sorted({*fresh, *old["copied"]}):
        path, was = os.path.join(tree, name), old["copied"].get(name)
        if was is None and os.path.lexists(path):
            problems.append(f"{path}: a file of this name is there already and is not ours")
            continue
        data = read(tree, name, problems)
        check_copied(tree, old, data, name, [digest(fresh[name])] if name in fresh else [], force, problems)
        plan[name] = (data, fresh.get(name))
        if name not in fresh:
            first["copied"][name] = was
            continue
        entry = {"sha256": digest(fresh[name])}
        former = [s for s in [was["sha256"], *was.get("former", [])] if s != entry["sha256"]] if was else []
        last["copied"][name] = entry
        first["copied"][name] = dict(entry, former=former) if former else entry

    for name in plan:
        staged = os.path.join(tree, name + STAGED)
        if name not in old["edited"] and name not in old["copied"] and os.path.lexists(staged):
            problems.append(f"{staged}: in the way, and not ours")
    return finish_plan(tree, plan, problems), first, last


def plan_reverse(tree, old, force, notices):
    """Returns the plan that takes everything out again; needs the manifest only."""
    problems, plan = [], {}
    for name, (data, clean) in pristine_files(tree, old, problems).items():
        plan[name] = (data, clean)
        path, entry = os.path.join(tree, name), old["edited"][name]
        mode = stat.S_IMODE(os.stat(path).st_mode)
        if digest(clean) != entry["sha256"] or mode != int(entry["mode"], 8):
            notices.append(f"{path}: changed by somebody else since it was edited; that change is kept")
    for name in sorted(old["copied"]):
        data = read(tree, name, problems)
        check_copied(tree, old, data, name, [], force, problems)
        plan[name] = (data, None)
    return finish_plan(tree, plan, problems)


def finish_plan(tree, plan, problems):
    """Drops what stays as it is, checks that the rest can be written, raises Refusal on problems."""
    plan = {name: plan[name] for name in sorted(plan) if plan[name][0] != plan[name][1]}
    for folder in sorted({tree, *(os.path.dirname(os.path.join(tree, n)) for n in plan)}):
        if not os.access(folder, os.W_OK | os.X_OK):
            problems.append(f"{folder}: expected a folder that can be written to, found it read-only")
    for name in [MANIFEST, *plan]:
        path = os.path.join(tree, name)
        if os.path.exists(path) and not os.access(path, os.W_OK):
            problems.append(f"{path}: expected a file that can be written to, found it read-only")
    if problems:
        raise Refusal(problems)
    return plan


# ---- writing: these three change the tree, nothing else does ----------------------------------

def stage(path, data, like=None):
    """Writes a file's next content beside it, with the permissions and owner of `like` (a stat)."""
    with open(path + STAGED, "xb") as f:
        f.write(data)
        if like is not None:
            here = os.stat(path + STAGED)
            if (here.st_uid, here.st_gid) != (like.st_uid, like.st_gid):
                try:
                    os.chown(path + STAGED, like.st_uid, like.st_gid)
                except PermissionError:
                    pass  # a group member may edit a file that stays the owner's only for root
            os.chmod(path + STAGED, stat.S_IMODE(like.st_mode))
        f.flush()
        os.fsync(f.fileno())


def replace(path):
    os.replace(path + STAGED, path)


def remove(path):
    os.unlink(path)


def sync_folders(paths):
    for folder in sorted({os.path.dirname(p) or "." for p in paths}) if os.name == "posix" else []:
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def sweep(tree, names):
    """Removes what a killed run had staged."""
    for name in names:
        staged = os.path.join(tree, name + STAGED)
        if os.path.lexists(staged):
            remove(staged)


def execute(tree, plan, first, last):
    """Carries out the plan between two manifests (bytes; None for last removes it).

    Everything is staged before the first host file changes, so a full disk is met while
    the tree is still whole. On OSError all is put back and Refusal raised.
    """
    saved = {}
    for name in [MANIFEST, *plan]:
        path = os.path.join(tree, name)
        stats = os.stat(path) if os.path.exists(path) else None
        saved[name] = (path, read(tree, name, []), stats)
    manifest, now, stats = saved[MANIFEST]
    try:
        if now != first:
            stage(manifest, first, stats)
            replace(manifest)
            sync_folders([manifest])
        for name, (_, new) in plan.items():
            if new is not None:
                stage(saved[name][0], new, saved[name][2])
        for name, (_, new) in plan.items():
            if new is not None:
                replace(saved[name][0])
            else:
                remove(saved[name][0])
        sync_folders([saved[name][0] for name in plan])
        for name, (_, new) in plan.items():
            if read(tree, name, []) != new:
                raise OSError(5, "read back different bytes", saved[name][0])
        if last is None:
            remove(manifest)
        elif last != first:
            stage(manifest, last, stats)
            replace(manifest)
        sync_folders([manifest])
    except OSError as error:
        reason = f"{error.filename or tree}: {error.strerror}"
        try:
            sweep(tree, saved)
            for name in reversed(saved):
                path, data, stats = saved[name]
                if read(tree, name, []) == data:
                    continue
                if data is None:
                    remove(path)
                else:
                    stage(path, data, stats)
                    replace(path)
        except OSError as second:
            raise Refusal([reason, f"{second.filename or tree}: {second.strerror}, while putting back"
                           " the tree; run this again, or with --reverse, when there is room"]) from None
        raise Refusal([reason, f"{tree}: everything is as it was before"]) from None


# ---- what the user sees ----------------------------------------------------------------------

def unified_diff(plan):
    """The plan as bytes for patch -p1."""
    out = []
    for name, (old, new) in plan.items():
        sides = [re.findall(rb"[^\n]*\n|[^\n]+", data or b"") for data in (old, new)]
        label = name + "\t" * (" " in name)
        names = [("/dev/null" if data is None else side + label).encode()
                 for data, side in ((old, "a/"), (new, "b/"))]
        for line in difflib.diff_bytes(difflib.unified_diff, *sides, *names):
            out.append(line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n")
    return b"".join(out)


def list_edits(families):
    for family in families:
        print(f'family {family["name"]} ({family["path"]})')
        for edit in family["edits"]:
            switch = f' [--without {edit["switch"]}]' if edit["switch"] else ""
            print(f'  {edit["file"]}: {edit["name"]}{switch}: {edit["why"]}')


def report(plan, copied, reverse, dry):
    for name, (old, new) in plan.items():
        verb = ("remove" if new is None else "copy" if name in copied else "restore" if reverse else "edit")
        done = {"remove": "removed", "copy": "copied", "restore": "restored", "edit": "edited"}[verb]
        print(f"would {verb} {name}" if dry else f"{done} {name}")


def how_to_build(tree):
    """A tree that CMake builds has no Makefile of its own."""
    if os.path.isfile(os.path.join(tree, "Makefile")):
        return f"build as before: make -C {shlex.quote(tree)}"
    return "build as before, cmake first: there are new files"


def run(options):
    families = None
    if not options.reverse:
        families = read_families(options.anchors)
        switches = sorted({e["switch"] for f in families for e in f["edits"] if e["switch"]})
        for switch in options.without:
            if switch not in switches:
                options.usage(f'--without: expected one of {", ".join(switches) or "none"}, got "{switch}"')
    if options.list and not options.tree:
        list_edits(families)
        return
    tree = options.tree
    if not os.path.isdir(tree):
        raise Refusal([f"{tree}: expected the folder of a Darknet tree, found none"])
    sources = [name for name in SOURCES if os.path.isdir(os.path.join(tree, name))]
    if not sources:
        raise Refusal([f"{tree}: expected a Darknet tree, found no {'/ in it, and no '.join(SOURCES)}/"])
    for name in sources:
        if os.path.islink(os.path.join(tree, name)):
            raise Refusal([f"{tree}/{name}: expected a folder of its own, found a link"])
    old, old_bytes = read_manifest(tree)
    empty = {"copied": {}, "edited": {}}
    looks_only = options.dry_run or options.diff
    notices = []
    if not options.reverse:
        if not os.path.isdir(options.layers):
            raise Refusal([f"{shown(options.layers)}: expected the folder of the layers, found none"])
        family = choose_family(families, tree, options.family or (old or {}).get("family"))
        if options.list:
            list_edits([family])
            return
        without = sorted({e["switch"] for e in family["edits"]} & set(options.without))
        plan, first, last = plan_apply(tree, family, options.layers, without, old or empty, options.force)
        copied, first, last = last["copied"], manifest_bytes(first), manifest_bytes(last)
        idle = "already applied, nothing to do" if not plan and last == old_bytes else None
    else:
        plan = plan_reverse(tree, old, options.force, notices) if old else {}
        copied, first, last = (old or empty)["copied"], old_bytes, None
        idle = None if old else "not applied, nothing to do"
    for notice in notices:
        print(notice, file=sys.stderr)
    if options.diff:
        sys.stdout.buffer.write(unified_diff(plan))
        sys.stdout.buffer.flush()
        return
    if not looks_only:
        sweep(tree, [MANIFEST, *(old or empty)["copied"], *(old or empty)["edited"]])
    if idle:
        print(idle)
        return
    if not looks_only:
        execute(tree, plan, first, last)
    report(plan, copied, options.reverse, looks_only)
    print("nothing written" if looks_only else how_to_build(tree))


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="patch.py", description="Puts the layers into a Darknet tree, and takes them out again.")
    add = parser.add_argument
    add("tree", metavar="TREE", nargs="?", help="the Darknet tree")
    add("--anchors", metavar="DIR", default=os.path.join(ROOT, "patches"),
        help="the .anchors files (default: %(default)s)")
    add("--layers", metavar="DIR", default=os.path.join(ROOT, "layers"),
        help="the files to copy (default: %(default)s)")
    add("--family", metavar="NAME", help="do not guess the tree's family")
    add("--without", metavar="SWITCH", nargs="+", action="extend", default=[],
        help="leave out a part (see --list); may be repeated")
    add("--reverse", action="store_true", help="take everything out again")
    add("--force", action="store_true", help="drop changes made to copied files")
    add("--dry-run", action="store_true", help="check, say what would be written, write nothing")
    add("--diff", action="store_true", help="print a diff for patch -p1, write nothing")
    add("--list", action="store_true", help="print the edits and why each is there")
    options = parser.parse_args(arguments)
    options.usage = parser.error
    if not options.tree and not (options.list and not options.reverse):
        parser.error("expected TREE, the folder of a Darknet tree")
    if options.reverse and (options.list or options.without or options.family):
        parser.error("--reverse reads the tree's manifest: it goes with --force, --dry-run and --diff only")
    if options.tree and options.tree.rstrip(os.sep):
        options.tree = options.tree.rstrip(os.sep)
    try:
        run(options)
    except Refusal as refusal:
        print("\n".join(refusal.args[0]), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename or options.tree}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{options.tree}: stopped half-way; run this again, or with --reverse", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
